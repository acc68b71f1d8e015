"""The table of a set of images on disk, manifest.csv; read without torch, which takes seconds to import."""

from pathlib import Path

import numpy as np
import pandas as pd

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.table import read_csv

COLUMNS = ("image", "score", "scene")
"""Every manifest has these. Generated sets have photograph, distortions and levels besides. Who trains and who tests
stands in `part`, or, where each repeat has a split of its own, in `part_1`, `part_2` and so on."""
TEXTS = ("image", "scene", "photograph", "distortions", "levels")


def write_manifest(folder: Path, manifest: pd.DataFrame) -> None:
    """Write `folder/manifest.csv`, scores to six decimals.

    Raises:
        UserError: it cannot be written.
    """
    write_whole(folder / "manifest.csv", manifest.to_csv(index=False, float_format="%.6f"))


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read `folder/manifest.csv`.

    Raises:
        UserError: it is missing or no table, lacks a column or a name, or has a score outside [0, 1].
    """
    path = folder / "manifest.csv"
    if not path.is_file():
        raise UserError(f"{path}: is not there; `dvc repro` makes it")
    manifest = read_csv(path, dtype=dict.fromkeys(TEXTS, str))
    for column in COLUMNS:
        if column not in manifest:
            raise UserError(f"{path}: column `{column}` is missing")
    manifest["score"] = pd.to_numeric(manifest["score"], errors="coerce").astype(float)
    if not len(manifest) or manifest["image"].isna().any():
        raise UserError(f"{path}: holds no rows, or a row without an image's name")
    wrong = manifest[~manifest["score"].between(0, 1)]
    if len(wrong):
        raise UserError(f"{path}: {len(wrong)} scores outside 0..1, first: {wrong.iloc[0]['image']}")
    return manifest


def sample(manifest: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows of a manifest, always the same ones, in its order."""
    return manifest.iloc[np.sort(np.random.default_rng(3).permutation(len(manifest))[:most])]


def part_columns(manifest: pd.DataFrame, repeats: int) -> list[str]:
    """The column that says who trains and who tests, of each repeat: `part`, or `part_1` to `part_{repeats}`.

    Raises:
        UserError: fewer splits than repeats, or a split without images to train on or to test.
    """
    columns = [name for name in manifest if name == "part" or name.startswith("part_")]
    columns = columns * repeats if columns == ["part"] else columns
    if len(columns) < repeats:
        raise UserError(f"manifest.csv: has {len(columns)} splits; params.yaml: grid.repeats asks for {repeats}")
    for column in columns[:repeats]:
        for part in ("train", "test"):
            if not (manifest[column] == part).any():
                raise UserError(f"manifest.csv: column `{column}` names no image `{part}`")
    return columns[:repeats]


def part_sizes(manifest: pd.DataFrame, repeats: int) -> pd.DataFrame:
    """Numbers of images in the pool (column `train`) and in the test part (`test`), a row per repeat.

    Raises:
        UserError: as `part_columns`.
    """
    columns = part_columns(manifest, repeats)
    return pd.DataFrame([manifest[column].value_counts()[["train", "test"]] for column in columns], index=columns)


def split_ratio(manifest: pd.DataFrame, repeats: int) -> float:
    """Test images by images of the pool, mean over the repeats; 0 where all repeats have the same test part.

    Raises:
        UserError: as `part_columns`.
    """
    sizes = part_sizes(manifest, repeats)
    tests = {tuple(np.flatnonzero(manifest[column] == "test")) for column in sizes.index}
    return float((sizes["test"] / sizes["train"]).mean()) if len(tests) > 1 else 0.0
