"""The photographs, their manifest, and the split into parts that share no photograph."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grmp.errors import UserError
from grmp.io.inside import refuse_outside
from grmp.io.table import read_csv
from grmp.text import SCENES
from study.params import Photos

PARTS = ("pretrain", "train", "test")


@dataclass(frozen=True)
class Photograph:
    """One row of the manifest; `name` is the file's name without its ending."""

    name: str
    path: Path
    scene: str
    caption: str


def read_manifest(folder: Path) -> list[Photograph]:
    """The photographs named in `folder/photos.csv` (columns file, scene, caption), in its order.

    Raises:
        UserError: no such table, a column or file missing, a file outside of `folder/images`, a name twice, or a scene
            that is not one of `SCENES`.
    """
    table_path = folder / "photos.csv"
    table = read_csv(table_path, remedy="; `dvc repro data.dvc` makes it", dtype=str, keep_default_na=False)
    for column in ("file", "scene", "caption"):
        if column not in table:
            raise UserError(f"{table_path}: column `{column}` is missing")
    refuse_outside(table_path, folder / "images", table["file"])
    photographs = [
        Photograph(Path(row.file).stem, folder / "images" / row.file, row.scene, row.caption)
        for row in table.itertuples()
    ]
    _check(table_path, photographs)
    return photographs


def _check(table: Path, photographs: list[Photograph]) -> None:
    seen: set[str] = set()
    for photo in photographs:
        if photo.name in seen:
            raise UserError(f"{table}: {photo.path.name} stands there twice")
        if photo.scene not in SCENES:
            raise UserError(f"{table}: {photo.path.name}: scene `{photo.scene}` is none of {', '.join(SCENES)}")
        if not os.path.isfile(photo.path):
            raise UserError(f"{photo.path}: named in {table.name}, but not there")
        seen.add(photo.name)


def split(photographs: list[Photograph], shares: Photos, seed: int) -> dict[str, list[Photograph]]:
    """Deal the photographs to the parts `PARTS`, scene by scene, so that each part has every scene where it can.

    Raises:
        UserError: a part stays empty.
    """
    generator = np.random.default_rng([seed, 0])
    parts: dict[str, list[Photograph]] = {part: [] for part in PARTS}
    for scene in SCENES:
        members = [photo for photo in photographs if photo.scene == scene]
        order = [members[i] for i in generator.permutation(len(members))]
        ends = np.round(np.cumsum([shares.pretrain, shares.train]) * len(order)).astype(int)
        for part, chunk in zip(PARTS, (order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])):
            parts[part].extend(chunk)
    for part, chunk in parts.items():
        if not chunk:
            raise UserError(f"{len(photographs)} photographs are too few: the part `{part}` got none (photos.{part})")
    return parts
