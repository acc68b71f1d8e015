from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from grmp.crops import LARGEST
from grmp.errors import UserError
from study.data.sets import COLUMNS, folds, read_images, read_manifest, sample, scores, write_manifest


@pytest.fixture
def manifest() -> pd.DataFrame:
    rows = [
        ("images/a.png", 0.25, "dog", "7", "3", "animal", "train"),
        ("images/b.png", 1.0, "001", "7+21", "3+1", "night", "test"),
    ]
    columns = ["image", "score", "photograph", "distortions", "levels", "scene", "part"]
    return pd.DataFrame(rows, columns=columns)


def complaint(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        read_manifest(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_written_comes_back(tmp_path: Path, manifest: pd.DataFrame) -> None:
    write_manifest(tmp_path, manifest)
    pd.testing.assert_frame_equal(read_manifest(tmp_path), manifest)


def test_names_and_numbers_of_distortions_stay_text(tmp_path: Path, manifest: pd.DataFrame) -> None:
    write_manifest(tmp_path, manifest[:1].assign(photograph="001"))  # all numerals, with a leading zero
    read = read_manifest(tmp_path)
    assert read.loc[0, ["photograph", "distortions", "levels"]].tolist() == ["001", "7", "3"]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, manifest: pd.DataFrame, column: str) -> None:
    write_manifest(tmp_path, manifest.drop(columns=column))
    assert complaint(tmp_path) == f"{tmp_path / 'manifest.csv'}: column `{column}` is missing"


@pytest.mark.parametrize("score", [-0.1, 1.1, np.nan])
def test_scores_outside_the_range_are_counted_and_the_first_is_named(
    tmp_path: Path, manifest: pd.DataFrame, score: float
) -> None:
    write_manifest(tmp_path, manifest.assign(score=[0.5, score]))
    assert complaint(tmp_path).endswith("1 scores outside 0..1, first: images/b.png")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path).startswith(f"{tmp_path / 'manifest.csv'}: is not there")


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n1,2,3,4\n"])
def test_a_manifest_that_is_no_table_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.csv").write_text(content)
    assert complaint(tmp_path).startswith(f"{tmp_path / 'manifest.csv'}: ")


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


def test_too_few_splits_are_told(manifest: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=r"has 1 splits; params\.yaml: grid\.repeats asks for 2"):
        folds(manifest.rename(columns={"part": "part_1"}), 2)


def test_a_split_without_test_images_is_told(manifest: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="column `part` names no image `test`"):
        folds(manifest[:1], 1)


def test_scores_are_float32(manifest: pd.DataFrame) -> None:
    assert scores(manifest).dtype == torch.float32
    assert scores(manifest).tolist() == [0.25, 1.0]


def test_a_sample_is_always_the_same_and_in_the_order_of_the_manifest() -> None:
    manifest = pd.DataFrame({"image": [f"{number}.jpg" for number in range(30)]})
    chosen = sample(manifest, 10)
    assert len(chosen) == 10
    assert chosen.equals(sample(manifest, 10))
    assert chosen.index.is_monotonic_increasing
    assert sample(manifest[:7], 10).equals(manifest[:7])
