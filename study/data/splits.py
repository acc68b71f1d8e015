"""Splits into training, validation and test images: drawn without a content on both sides, or read from a file."""

from pathlib import Path

import numpy as np
import pandas as pd

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.table import read_csv
from study.data.datasets.duplicates import DISTANCE, group_alike, hash_images

ROLES = ("train", "val", "test")
WIDE = 10
"""Bits of the hash up to which two images are one content in a set that shows many scenes several times: BIQ2021."""


def random_split(
    manifest: pd.DataFrame, folder: Path, test_share: float, seed: int, val_share: float = 0.0
) -> pd.DataFrame:
    """Deal images to train and test (and val on request), whole contents at a time.

    Images of one reference stay together; images without one stay together where they look alike. Neither the order of
    the manifest nor that of the disk has an effect.

    Args:
        manifest: columns image and reference, as `study.data.datasets.read` gives it.
        folder: where its images are.
        test_share: share of the images that test, kept as nearly as whole contents allow.
        seed: which ones.
        val_share: share of the images that validate.

    Returns:
        Columns image and role, one row per image, sorted by image.

    Raises:
        UserError: shares that leave nothing to train on, a part that stays empty, or an image that cannot be read.
    """
    if test_share <= 0 or val_share < 0 or test_share + val_share >= 1:
        raise UserError(f"split: test {test_share:g} and val {val_share:g} must be shares that leave some for train")
    ordered = manifest.sort_values("image", ignore_index=True)
    groups = _contents(ordered, folder)
    order = np.random.default_rng([seed, 1]).permutation(groups.max() + 1)
    sizes = np.bincount(groups)[order]
    # A content goes where its middle falls: shares are met without a bias to either side.
    middles = np.cumsum(sizes) - sizes / 2
    roles = np.empty(len(order), dtype=object)
    ends = np.array([test_share, test_share + val_share]) * len(ordered)
    roles[order] = np.array(["test", "val", "train"], dtype=object)[np.searchsorted(ends, middles)]
    split = pd.DataFrame({"image": ordered["image"], "role": roles[groups]})
    for role in ROLES if val_share else ("train", "test"):
        if role not in set(split["role"]):
            raise UserError(f"split: {len(order)} contents are too few: the part `{role}` got none")
    return split


def set_aside(manifest: pd.DataFrame, folder: Path, count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Choose at least `count` images, whole contents at a time; always the same ones.

    Returns:
        The manifest with the number of the content in the column `reference`, by hashes alone, and who is set aside.

    Raises:
        UserError: an image cannot be read.
    """
    groups = group_alike(hash_images(folder, manifest["image"]), WIDE)
    sizes, order = np.bincount(groups), np.random.default_rng(0).permutation(groups.max() + 1)
    enough = order[: np.searchsorted(sizes[order].cumsum(), count) + 1]
    return manifest.assign(reference=groups.astype(str)), np.isin(groups, enough)


def _contents(manifest: pd.DataFrame, folder: Path) -> np.ndarray:
    """The number of each row's content, from 0."""
    contents = manifest["reference"].astype(object).copy()
    bare = contents == ""
    if bare.any():
        alike = group_alike(hash_images(folder, manifest["image"][bare]), DISTANCE)
        contents[bare] = pd.Series(alike, index=contents.index[bare])
    return pd.factorize(contents)[0]


def read_split(path: Path, manifest: pd.DataFrame) -> pd.DataFrame:
    """A split from a table with the columns image, role and any others, checked against the manifest.

    A name without a folder stands for the one image of that name in any folder, as published splits have it.

    Returns:
        The table in the manifest's order, its images named as in the manifest.

    Raises:
        UserError: no such table or column, a role that is none of `ROLES`, an image that is unknown, twice or missing.
    """
    split = read_csv(path, dtype={"image": str, "role": str})
    for column in ("image", "role"):
        if column not in split:
            raise UserError(f"{path}: column `{column}` is missing")
    full = _full_names(manifest["image"])
    split["image"] = [full.get(name, name) for name in split["image"]]
    known = split["image"].isin(manifest["image"])
    _refuse(path, split["image"][~split["role"].isin(ROLES)], f"roles are none of {', '.join(ROLES)}")
    _refuse(path, split["image"][~known], "images are not in the set")
    _refuse(path, split["image"][split["image"].duplicated()], "images stand there again")
    _refuse(path, manifest["image"][~manifest["image"].isin(split["image"])], "images of the set have no role")
    return split.set_index("image").loc[manifest["image"]].reset_index()


def _full_names(images: pd.Series) -> dict[str, str]:
    bare = images.map(lambda image: Path(image).name)
    return dict(zip(bare[~bare.duplicated(keep=False)], images[~bare.duplicated(keep=False)]))


def _refuse(path: Path, images: pd.Series, what: str) -> None:
    if len(images):
        raise UserError(f"{path}: {len(images)} {what}, first: {images.iloc[0]}")
