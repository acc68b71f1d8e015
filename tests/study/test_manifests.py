from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grmp.errors import UserError
from study.data.manifests import (
    COLUMNS,
    part_columns,
    part_sizes,
    read_manifest,
    sample,
    split_ratio,
    write_manifest,
)


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


def test_too_few_splits_are_told(manifest: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=r"has 1 splits; params\.yaml: grid\.repeats asks for 2"):
        part_columns(manifest.rename(columns={"part": "part_1"}), 2)


def test_a_split_without_test_images_is_told(manifest: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="column `part` names no image `test`"):
        part_columns(manifest[:1], 1)


def test_a_sample_is_always_the_same_and_in_the_order_of_the_manifest() -> None:
    manifest = pd.DataFrame({"image": [f"{number}.jpg" for number in range(30)]})
    chosen = sample(manifest, 10)
    assert len(chosen) == 10
    assert chosen.equals(sample(manifest, 10))
    assert chosen.index.is_monotonic_increasing
    assert sample(manifest[:7], 10).equals(manifest[:7])


def test_the_ratio_is_that_of_random_splits_alone() -> None:
    rows = ["train"] * 8 + ["test"] * 2
    other = ["test"] * 2 + ["train"] * 8
    splits = pd.DataFrame({"part_1": rows, "part_2": other})
    assert split_ratio(pd.DataFrame({"part": rows}), 3) == 0
    assert split_ratio(splits, 1) == 0
    assert split_ratio(splits, 2) == 0.25
    assert part_sizes(splits, 2).to_dict("list") == {"train": [8, 8], "test": [2, 2]}
