"""The pre-training data: images with scores, whose distortion types are the tasks.

Either the generated set, or KADID-10k or TID2013 themselves, as in the paper, or several sets together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.pretrain import TaskPool
from grmp.errors import UserError
from grmp.io.inside import refuse_outside
from grmp.runtime import Stream, generator
from grmp.settings import Pretrain
from study.data import manifests, sets
from study.data.datasets import read
from study.data.squashed import Squashed

PUBLISHED = {"distorted_images": "tid2013", "images": "kadid-10k"}
"""Sets with references and types of distortion, by the folder that holds their images."""


@dataclass(frozen=True)
class TaskSet:
    """Images, their scores, their `photograph` and `distortions`, and the photographs whose images are query images."""

    images: Sequence[UInt8[Tensor, "3 h w"]]
    scores: Float[Tensor, " n"]
    manifest: pd.DataFrame
    query: set[str]

    @property
    def pools(self) -> dict[str, TaskPool]:
        """One pool per distortion type; its indices count the images from 0."""
        return make_pools(self.manifest, self.query)


def read_tasks(settings: Pretrain, seed: int) -> TaskSet:
    """The images that `settings.source` holds.

    Args:
        settings: source, mixtures (which lie beside it, in `target`), fit, side and query_share are read. Where there
            are several sources, types and photographs are called `set:name`.
        seed: which photographs are held out for query images.

    Raises:
        UserError: no such set, not whole, or with too few photographs.
    """
    several = isinstance(settings.source, tuple)
    sources = [Path(source) for source in (settings.source if several else [settings.source])]
    parts = [part for source in sources for part in _parts(source, settings, several)]
    if settings.fit == "squash":
        images = Squashed([path for part in parts for path in part.paths()], settings.side)
    else:
        images = [image for part in parts for image in sets.read_images(part.folder, part.manifest)]
    manifest = pd.concat([part.manifest for part in parts], ignore_index=True)
    photographs = pd.Series(sorted(manifest["photograph"].unique()))
    of_set = photographs.str.partition(":")[0] if several else [""] * len(photographs)
    query = set().union(
        *(held_out(some.tolist(), settings.query_share, seed) for _, some in photographs.groupby(of_set))
    )
    return TaskSet(images, sets.scores(manifest), manifest, query)


@dataclass(frozen=True)
class _Part:
    """A folder of images and their manifest."""

    folder: Path
    manifest: pd.DataFrame

    def paths(self) -> list[Path]:
        refuse_outside("manifest.csv", self.folder, self.manifest["image"])
        return [self.folder / name for name in self.manifest["image"]]


def _parts(source: Path, settings: Pretrain, several: bool) -> list[_Part]:
    """The folders that `source` stands for; where there are several sources, types and photographs get its name."""
    generated = (source / "manifest.csv").is_file()
    folders = [source, *([source.with_name("target")] if generated and settings.mixtures else [])]
    tables = [manifests.read_manifest(folder) if generated else _published(source, settings) for folder in folders]
    if several:
        tables = [_named(table, source.name if generated else _published_name(source)) for table in tables]
    return [_Part(folder, table) for folder, table in zip(folders, tables)]


def _named(manifest: pd.DataFrame, name: str) -> pd.DataFrame:
    types = manifest["distortions"].astype(str).str.replace(r"(^|\+)", rf"\1{name}:", regex=True)
    return manifest.assign(distortions=types, photograph=f"{name}:" + manifest["photograph"].astype(str))


def _published_name(source: Path) -> str | None:
    return next((name for folder, name in PUBLISHED.items() if (source / folder).is_dir()), None)


def _published(source: Path, settings: Pretrain) -> pd.DataFrame:
    name = _published_name(source)
    if name is None:
        raise UserError(
            f"{source}: pretrain.source holds no tasks; it is artifacts/distorted/pretrain, from `dvc repro`, or the "
            "folder of KADID-10k (with images/) or TID2013 (with distorted_images/)"
        )
    if settings.mixtures:
        raise UserError(f"params.yaml: pretrain.mixtures: {source} has none; write false")
    return read(name, source).rename(columns={"reference": "photograph", "distortion": "distortions"})


def make_pools(manifest: pd.DataFrame, query_photographs: set[str]) -> dict[str, TaskPool]:
    """One pool per distortion type; a mixture is in the pool of each of its types.

    Query images come from `query_photographs`, support images from the others. Pools are in the manifest's order.

    Raises:
        UserError: a column is missing, or a type lacks images of either.
    """
    for column in ("photograph", "distortions"):
        if column not in manifest:
            raise UserError(f"manifest.csv: column `{column}` is missing; pre-training needs a set with distortions")
    types = manifest["distortions"].astype(str).str.split("+").explode()
    held_out = manifest["photograph"].isin(query_photographs)
    pools = {
        kind: TaskPool(rows.index[~held_out[rows.index]].tolist(), rows.index[held_out[rows.index]].tolist())
        for kind, rows in types.groupby(types, sort=False)
    }
    for kind, pool in pools.items():
        if not pool.support or not pool.query:
            raise UserError(
                f"distortion type {kind}: no images for {'query' if pool.support else 'support'}; its photographs are "
                "too few (photos.pretrain, pretrain.query_share), or the set is not whole"
            )
    return pools


def held_out(photographs: list[str], share: float, seed: int) -> set[str]:
    """A `share` of the photographs, at least one, drawn by `seed`.

    Raises:
        UserError: none would be left.
    """
    count = max(1, round(share * len(photographs)))
    if count >= len(photographs):
        raise UserError(
            f"{len(photographs)} photographs are too few for support and query (photos.pretrain, pretrain.query_share)"
        )
    order = torch.randperm(len(photographs), generator=generator(seed, Stream.QUERY_PHOTOGRAPHS)).tolist()
    return {photographs[index] for index in order[:count]}
