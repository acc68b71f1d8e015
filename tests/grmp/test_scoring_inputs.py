from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grmp.errors import UserError
from grmp.scoring.inputs import find_images, read_input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, one of them in a folder below, a hidden one, and a text."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "deep/c.webp", "._a.png"):
        Image.new("RGB", (40, 40)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def names(found: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_folder_stands_for_the_images_below_it(folder: Path) -> None:
    assert names(find_images([folder]), folder) == ["a.png", "b.JPG", "deep/c.webp"]


def test_files_keep_the_order_in_which_they_are_given(folder: Path) -> None:
    given = [folder / "b.JPG", folder / "a.png"]
    assert find_images(given) == given
    assert find_images(given[::-1]) == given[::-1]


def test_an_image_is_scored_once(folder: Path) -> None:
    assert names(find_images([folder / "b.JPG", folder, folder / "a.png"]), folder) == ["b.JPG", "a.png", "deep/c.webp"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.png", ["a.png"]), ("**/*.webp", ["deep/c.webp"]), ("d*", ["deep/c.webp"]), ("notes.*", ["notes.txt"])],
)
def test_a_pattern_stands_for_what_it_matches(folder: Path, pattern: str, expected: list[str]) -> None:
    assert names(find_images([f"{folder}/{pattern}"]), folder) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "a.png").rename(folder / "[1].png")
    assert names(find_images([folder / "[1].png"]), folder) == ["[1].png"]


def test_a_file_that_is_not_there_is_left_to_whoever_reads_it(folder: Path) -> None:
    assert names(find_images([folder / "none.png"]), folder) == ["none.png"]


def test_a_pattern_without_a_match_and_a_folder_without_images_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"\*\.tif: matches no file"):
        find_images([f"{folder}/*.tif"])
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds no image"):
        find_images([folder / "empty"])


def test_every_kind_of_image_gives_the_same_pixels(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    found = [read_input(kind) for kind in (folder / "a.png", str(folder / "a.png"), Image.fromarray(pixels), pixels)]
    assert found[0].shape == (3, 60, 50)
    assert all((other == found[0]).all() for other in found[1:])


@pytest.mark.parametrize(("height", "width"), [(31, 60), (60, 31), (40, 801)])
def test_slivers_are_refused(height: int, width: int) -> None:
    with pytest.raises(UserError, match=rf"{width} x {height} pixels cannot be judged"):
        read_input(np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize("wrong", [np.zeros((40, 40)), np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 3)), None])
def test_what_is_no_image_is_refused(wrong: object) -> None:
    with pytest.raises(UserError, match="is no image"):
        read_input(wrong)


def test_a_pillow_image_whose_file_is_truncated_is_named(folder: Path) -> None:
    path = folder / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with Image.open(path) as image, pytest.raises(UserError, match=r"a\.png: cannot be read"):
        read_input(image)
