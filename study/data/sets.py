"""A set of images on disk, as tensors: a folder with the images that its manifest.csv names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from grmp.crops import bound, to_tensor
from grmp.io.decode import read_image
from grmp.io.inside import refuse_outside
from study.data.manifests import part_columns

GENERATED = Path("artifacts/distorted/pretrain")
"""Single distortions of photographs, from which prompts, prior and the scorer without a label learn."""


@dataclass(frozen=True)
class Fold:
    """Indices of the images whose labels one repeat may draw from, and of those that test it."""

    train: Int[Tensor, " n"]
    test: Int[Tensor, " m"]


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


def scores(manifest: pd.DataFrame) -> Float[Tensor, " n"]:
    """Scores in [0, 1], higher is better."""
    return torch.from_numpy(manifest["score"].to_numpy(np.float32))


def folds(manifest: pd.DataFrame, repeats: int) -> list[Fold]:
    """Training and test images of each repeat.

    Raises:
        UserError: as `part_columns`.
    """
    return [_fold(manifest, column) for column in part_columns(manifest, repeats)]


def _fold(manifest: pd.DataFrame, column: str) -> Fold:
    indices = (np.flatnonzero(manifest[column] == part) for part in ("train", "test"))
    return Fold(*map(torch.from_numpy, indices))
