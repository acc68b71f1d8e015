from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from grmp.crops import LARGEST
from study.data.sets import folds, read_images, scores


@pytest.fixture
def manifest() -> pd.DataFrame:
    return pd.DataFrame({"image": ["images/a.png", "images/b.png"], "score": [0.25, 1.0], "part": ["train", "test"]})


def test_images_are_read_in_the_manifests_order(tmp_path: Path, manifest: pd.DataFrame) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    for name, image in zip(manifest["image"], pixels):
        Image.fromarray(image).save(tmp_path / name)
    read = list(read_images(tmp_path, manifest[::-1]))
    assert all(image.dtype == torch.uint8 for image in read)
    np.testing.assert_array_equal(torch.stack(read).permute(0, 2, 3, 1).numpy(), pixels[::-1])


def test_images_keep_their_pixels_up_to_the_largest_side(tmp_path: Path, manifest: pd.DataFrame) -> None:
    (tmp_path / "images").mkdir()
    for name, sides in zip(manifest["image"], ((80, 60), (LARGEST * 2, LARGEST * 4))):
        Image.new("RGB", sides, (10, 20, 30)).save(tmp_path / name)
    read = list(read_images(tmp_path, manifest))
    assert [tuple(image.shape) for image in read] == [(3, 60, 80), (3, 2 * LARGEST, LARGEST)]
    assert read[1][:, 5, 5].tolist() == [10, 20, 30]


def test_one_part_column_serves_every_repeat(manifest: pd.DataFrame) -> None:
    found = folds(manifest, 3)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == [([0], [1])] * 3


def test_numbered_part_columns_are_a_repeat_each_and_other_roles_take_no_part(manifest: pd.DataFrame) -> None:
    three = pd.concat([manifest, manifest[:1]], ignore_index=True).drop(columns="part")
    found = folds(three.assign(part_1=["train", "test", "val"], part_2=["test", "train", "train"]), 2)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == [([0], [1]), ([1, 2], [0])]


def test_scores_are_float32(manifest: pd.DataFrame) -> None:
    assert scores(manifest).dtype == torch.float32
    assert scores(manifest).tolist() == [0.25, 1.0]
