"""A set of images on disk: a folder with manifest.csv and the images that it names."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import UInt8
from torch import Tensor

from grmp.decode import read_image
from grmp.errors import UserError

COLUMNS = ("image", "score", "photograph", "distortions", "levels", "scene", "part")


def write_manifest(folder: Path, manifest: pd.DataFrame) -> None:
    """Write `folder/manifest.csv`, scores to six decimals."""
    manifest.to_csv(folder / "manifest.csv", index=False, float_format="%.6f")


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read `folder/manifest.csv`.

    Raises:
        UserError: it is missing or no table, lacks a column, or has a score outside [0, 1].
    """
    path = folder / "manifest.csv"
    if not path.is_file():
        raise UserError(f"{path}: is not there; `dvc repro` makes it")
    try:
        manifest = pd.read_csv(path, dtype=dict.fromkeys(("photograph", "distortions", "levels"), str))
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from None
    for column in COLUMNS:
        if column not in manifest:
            raise UserError(f"{path}: column `{column}` is missing")
    wrong = manifest[~manifest["score"].between(0, 1)]
    if len(wrong):
        raise UserError(f"{path}: {len(wrong)} scores outside 0..1, first: {wrong.iloc[0]['image']}")
    return manifest


def read_images(folder: Path, manifest: pd.DataFrame) -> list[UInt8[Tensor, "3 h w"]]:
    """All images of the manifest, decoded once and kept as bytes."""
    return [torch.from_numpy(read_image(folder / name).copy()).permute(2, 0, 1) for name in manifest["image"]]


def scores(manifest: pd.DataFrame) -> torch.Tensor:
    """Scores in [0, 1], higher is better, as float32 [n]."""
    return torch.from_numpy(manifest["score"].to_numpy(np.float32))
