"""A human-rated set in its official layout, read into one manifest and checked against what is on the disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from grmp.errors import UserError
from grmp.io.decode import read_image
from grmp.io.inside import refuse_outside
from study.data.track import track
from study.data.datasets.about import About
from study.data.datasets.catalogue import find
from study.data.datasets.tables import TEXTS, read_table

COLUMNS = ("image", "score", "raw", "spread", *TEXTS)
"""image: path below the set's folder; score: in [0, 1], higher is better; raw: as published; spread: its standard
deviation, NaN where unknown; reference, distortion, scene, part: empty where there is none."""


def read(
    name: str, folder: Path, allow_missing: bool = False, scale: tuple[float, float] | None = None
) -> pd.DataFrame:
    """The manifest of the set `name` (a key of `SETS`) in `folder`: the columns `COLUMNS`, sorted by image.

    The score is `(raw - worst) / (best - worst)` on the published scale, never on the range of the data at hand.

    Args:
        name: which set.
        folder: where it was unpacked.
        allow_missing: read a partial copy on purpose: rows without an image are left out, so long as one is left.
        scale: worst and best end of the scores; only and always for `csv`, as published sets have theirs.

    Raises:
        UserError: folder or table missing or of another version, images missing or outside of the folder, a row twice,
            a score off the scale.
    """
    about = find(name)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder" + _how_to_get(about))
    worst, best = _scale(about, scale)
    table = read_table(about, folder)
    _check_scores(about.scores_of(folder), table, worst, best)
    manifest = _place(about, folder, table, allow_missing)
    refuse_outside(about.scores_of(folder), folder, manifest["image"])
    manifest["score"] = (manifest["raw"] - worst) / (best - worst)
    return manifest[list(COLUMNS)].sort_values("image", ignore_index=True)


def _how_to_get(about: About) -> str:
    if about.images is None:
        return f"; it must hold {about.official} and the images that it names"
    return f"; get {about.title} from {about.page}, unpack it, and keep it with `{about.command}`"


def _scale(about: About, scale: tuple[float, float] | None) -> tuple[float, float]:
    if (about.images is None) != (scale is not None):
        raise UserError(f"{about.name}: scale: give worst and best end for `csv`, and nothing for a published set")
    worst, best = scale or (about.worst, about.best)
    if not worst - best:
        raise UserError(f"{about.name}: scale: worst and best end are both {worst:g}")
    return worst, best


def _check_scores(where: str, table: pd.DataFrame, worst: float, best: float) -> None:
    low, high = sorted((worst, best))
    wrong = table[~table["raw"].between(low, high)]  # NaN, where no number stood, is not between either
    if len(wrong):
        first = wrong.iloc[0]
        raise UserError(
            f"{where}: {len(wrong)} of {len(table)} scores are no numbers on the scale {low:g}..{high:g}, "
            f"first: {first['image']} ({first['raw']:g})"
        )


def _place(about: About, folder: Path, table: pd.DataFrame, allow_missing: bool) -> pd.DataFrame:
    places = locate(folder, table["image"].tolist())
    found = pd.Series([place is not None for place in places], index=table.index)
    table = table.assign(image=[place or name for place, name in zip(places, table["image"])])
    twice = table[table["image"].duplicated()]
    if len(twice):
        raise UserError(f"{about.scores_of(folder)}: {len(twice)} rows name an image again, first: {_first(twice)}")
    if not found.any() or not (found.all() or allow_missing):
        missing = table[~found]
        raise UserError(
            f"{folder}: {len(missing)} of {len(table)} images are missing, first: {_first(missing)}; they belong into "
            f"`{about.layout}` (links to folders elsewhere are not followed); allow_missing reads a partial copy"
        )
    return table[found].copy()


def _first(rows: pd.DataFrame) -> str:
    return min(rows["image"])


def locate(folder: Path, names: list[str]) -> list[str | None]:
    """The path below `folder` that each of `names` has on the disk, capitals aside; None where it has none.

    Copies of one set differ in the capitals of folders and endings; a file of exactly the name comes first.
    """
    paths = sorted(Path(parent, file).relative_to(folder).as_posix() for parent, file in _files(folder))
    exact, folded = set(paths), {path.lower(): path for path in reversed(paths)}
    return [name if name in exact else folded.get(name.lower()) for name in names]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Folder and name of every file; links to folders inside are followed, once each, as they may make a ring."""
    root, seen = os.path.realpath(folder), set()
    for parent, below, inside in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        places = {name: os.path.realpath(os.path.join(parent, name)) for name in sorted(below)}
        below[:] = [name for name, place in places.items() if place not in seen and _is_below(root, place)]
        yield from ((parent, name) for name in inside)


def _is_below(root: str, place: str) -> bool:
    return place.startswith(os.path.join(root, ""))


def verify(folder: Path, manifest: pd.DataFrame) -> None:
    """Decode every image of the manifest, which takes minutes for a large set.

    Raises:
        UserError: images that cannot be decoded or are truncated, with their count and the first name.
    """
    broken = [name for name in track(manifest["image"].tolist(), "verify") if not _decodes(folder / name)]
    if broken:
        raise UserError(
            f"{folder}: {len(broken)} of {len(manifest)} images cannot be decoded, first: {broken[0]}; unpack them anew"
        )


def _decodes(path: Path) -> bool:
    try:
        read_image(path)
    except UserError:
        return False
    return True
