from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grmp.errors import UserError
from grmp.scoring.opinions import read_opinions, scale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files that stand for images, and a table of their scores."""
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
    write(tmp_path, image=["a.png", "b.png", "c.png", "d.png"], mos=[1, 2.5, 4, 5])
    return tmp_path


def write(folder: Path, **columns: list) -> None:
    pd.DataFrame(columns).to_csv(folder / "scores.csv", index=False)


def complaint(folder: Path, **options: object) -> str:
    with pytest.raises(UserError) as error:
        read_opinions(folder, folder / "scores.csv", **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_images_and_scores_come_in_the_tables_order(folder: Path) -> None:
    read = read_opinions(folder, folder / "scores.csv")
    assert read.paths == [folder / f"{name}.png" for name in "abcd"]
    assert read.scores.tolist() == [1, 2.5, 4, 5]
    assert (read.name, read.bounds) == ("scores.csv", None)


def test_columns_may_have_other_names(folder: Path) -> None:
    write(folder, file=["b.png", "a.png"], dmos=[10, 90], mos=[0, 0])
    read = read_opinions(folder, folder / "scores.csv", "file", "dmos", (100, 0))
    assert [path.name for path in read.paths] == ["b.png", "a.png"]
    assert scale(read.scores, read.bounds).tolist() == pytest.approx([0.9, 0.1])


def test_a_missing_column_is_named_with_those_that_are_there(folder: Path) -> None:
    assert complaint(folder, score_column="dmos").endswith("column `dmos` is missing (columns: image, mos)")
    assert "column `file` is missing" in complaint(folder, image_column="file")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\xff", b"image,mos\na,1\nb,2,3,4\n"])
def test_what_is_no_table_is_named(folder: Path, content: bytes | None) -> None:
    (folder / "scores.csv").unlink()
    if content is not None:
        (folder / "scores.csv").write_bytes(content)
    assert complaint(folder).startswith(f"{folder / 'scores.csv'}: cannot be read as a table")


@pytest.mark.parametrize("wrong", ["", "good", "nan", "inf"])
def test_a_score_that_is_no_number_is_named(folder: Path, wrong: str) -> None:
    write(folder, image=["a.png", "b.png", "c.png"], mos=["1", wrong, "3"])
    assert "1 images have no number in column `mos`, first: b.png" in complaint(folder)


def test_an_image_that_stands_there_twice_is_named(folder: Path) -> None:
    write(folder, image=["a.png", "b.png", "./a.png"], mos=[1, 2, 3])
    assert "1 images stand there twice, first: ./a.png" in complaint(folder)


def test_images_that_are_not_there_are_counted_and_the_first_is_named(folder: Path) -> None:
    write(folder, image=["a.png", "x.png", "y.png"], mos=[1, 2, 3])
    assert f"2 images are not in {folder}, first: x.png" in complaint(folder)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_labels_are_refused(folder: Path, count: int) -> None:
    write(folder, image=["a.png"][:count], mos=[1][:count])
    assert f"{count} labels are too few" in complaint(folder)


def test_constant_labels_are_refused(folder: Path) -> None:
    write(folder, image=["a.png", "b.png"], mos=[3, 3])
    assert "all scores are 3" in complaint(folder)


def test_a_range_must_hold_the_scores_and_have_two_ends(folder: Path) -> None:
    assert "1 images have scores outside of --range 0 4.5, first: d.png" in complaint(folder, bounds=(0, 4.5))
    assert "--range 4 4: the worst and the best score must differ" in complaint(folder, bounds=(4, 4))


def test_scaling_puts_the_ends_at_0_and_1() -> None:
    scores = np.array([1.0, 2.0, 5.0])
    assert scale(scores, (1, 5)).tolist() == [0, 0.25, 1]
    assert scale(scores, (5, 1)).tolist() == [1, 0.75, 0]
