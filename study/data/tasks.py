"""What there is to pre-train on: images with scores, whose distortion types are the tasks.

Either the generated set, or KADID-10k or TID2013 themselves, as in the paper.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.errors import UserError
from grmp.deal import TaskPool
from grmp.runtime import Stream, generator
from grmp.settings import Pretrain
from study.data import sets
from study.data.datasets import read

PUBLISHED = {"distorted_images": "tid2013", "images": "kadid-10k"}
"""Sets with references and types of distortion, by the folder that holds their images."""


@dataclass(frozen=True)
class TaskSet:
    """Images, their scores, their `photograph` and `distortions`, and the photographs whose images are query images."""

    images: list[UInt8[Tensor, "3 h w"]]
    scores: Float[Tensor, " n"]
    manifest: pd.DataFrame
    query: set[str]

    @property
    def pools(self) -> dict[str, TaskPool]:
        """One pool per distortion type; its indices count the images from 0."""
        return make_pools(self.manifest, self.query)


def read_tasks(settings: Pretrain, short_side: int, seed: int) -> TaskSet:
    """The images that `settings.source` holds.

    Args:
        settings: source, mixtures (which lie beside it, in `target`) and query_share are read.
        short_side: pixels that the shorter side of published images is brought to; generated ones have their size.
        seed: which photographs are held out for query images.

    Raises:
        UserError: no such set, not whole, or with too few photographs.
    """
    source = Path(settings.source)
    if (source / "manifest.csv").is_file():
        folders = [source, *([source.with_name("target")] if settings.mixtures else [])]
        manifests = [sets.read_manifest(folder) for folder in folders]
        images = [image for folder, table in zip(folders, manifests) for image in sets.read_images(folder, table)]
        manifest = pd.concat(manifests, ignore_index=True)
    else:
        manifest = _published(source, settings)
        images = sets.read_images(source, manifest, short_side)
    query = held_out(sorted(manifest["photograph"].unique()), settings.query_share, seed)
    return TaskSet(images, sets.scores(manifest), manifest, query)


def _published(source: Path, settings: Pretrain) -> pd.DataFrame:
    names = [name for folder, name in PUBLISHED.items() if (source / folder).is_dir()]
    if not names:
        raise UserError(
            f"{source}: pretrain.source holds no tasks; it is artifacts/distorted/pretrain, from `dvc repro`, or the "
            "folder of KADID-10k (with images/) or TID2013 (with distorted_images/)"
        )
    if settings.mixtures:
        raise UserError(f"params.yaml: pretrain.mixtures: {source} has none; write false")
    return read(names[0], source).rename(columns={"reference": "photograph", "distortion": "distortions"})


def make_pools(manifest: pd.DataFrame, query_photographs: set[str]) -> dict[str, TaskPool]:
    """One pool per distortion type; a mixture is in the pool of each of its types.

    Query images come from `query_photographs`, support images from the others.

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
        for kind, rows in types.groupby(types)
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
