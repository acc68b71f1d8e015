"""A set of images on disk: a folder with manifest.csv and the images that it names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from grmp.crops import bound, to_tensor
from grmp.errors import UserError
from grmp.io.decode import read_image
from grmp.io.files import write_whole
from grmp.io.inside import refuse_outside
from grmp.io.table import read_csv

COLUMNS = ("image", "score", "scene")
"""Every manifest has these. Generated sets have photograph, distortions and levels besides. Who trains and who tests
stands in `part`, or, where each repeat has a split of its own, in `part_1`, `part_2` and so on."""
GENERATED = Path("artifacts/distorted/pretrain")
"""Single distortions of photographs, from which prompts, prior and the scorer without a label learn."""
TEXTS = ("image", "scene", "photograph", "distortions", "levels")


@dataclass(frozen=True)
class Fold:
    """Indices of the images whose labels one repeat may draw from, and of those that test it."""

    train: Int[Tensor, " n"]
    test: Int[Tensor, " m"]


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


def read_images(folder: Path, manifest: pd.DataFrame) -> Iterator[UInt8[Tensor, "3 h w"]]:
    """All images of the manifest one after the other, as bytes, the shorter side at most `grmp.crops.LARGEST` pixels.

    Raises:
        UserError: an image is missing, truncated or none, or lies outside of `folder`.
    """
    return map(bound, full_images(folder, manifest))


def full_images(folder: Path, manifest: pd.DataFrame) -> Iterator[UInt8[Tensor, "3 h w"]]:
    """As `read_images`, in their own size."""
    refuse_outside("manifest.csv", folder, manifest["image"])
    return (to_tensor(read_image(folder / name)) for name in manifest["image"])


def sample(manifest: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows of a manifest, always the same ones, in its order."""
    return manifest.iloc[np.sort(np.random.default_rng(3).permutation(len(manifest))[:most])]


def scores(manifest: pd.DataFrame) -> torch.Tensor:
    """Scores in [0, 1], higher is better, as float32 [n]."""
    return torch.from_numpy(manifest["score"].to_numpy(np.float32))


def folds(manifest: pd.DataFrame, repeats: int) -> list[Fold]:
    """Training and test images of each repeat, from the column `part`, or from `part_1` to `part_{repeats}`.

    Raises:
        UserError: fewer splits than repeats, or a split without images to train on or to test.
    """
    columns = [name for name in manifest if name == "part" or name.startswith("part_")]
    columns = columns * repeats if columns == ["part"] else columns
    if len(columns) < repeats:
        raise UserError(f"manifest.csv: has {len(columns)} splits; params.yaml: grid.repeats asks for {repeats}")
    return [_fold(manifest, column) for column in columns[:repeats]]


def _fold(manifest: pd.DataFrame, column: str) -> Fold:
    indices = {part: np.flatnonzero(manifest[column] == part) for part in ("train", "test")}
    for part, found in indices.items():
        if not len(found):
            raise UserError(f"manifest.csv: column `{column}` names no image `{part}`")
    return Fold(**{part: torch.from_numpy(found) for part, found in indices.items()})
