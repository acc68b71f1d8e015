from pathlib import Path

import numpy as np
import pytest
from conftest import PHOTOS
from PIL import Image, ImageEnhance

from grmp.errors import UserError
from study.data.datasets.duplicates import DISTANCE, difference_hash, group_alike, hash_images

NAMES = [path.name for path in sorted((PHOTOS / "images").iterdir())][:12]


def differing(first: np.uint64, second: np.uint64) -> int:
    return int(np.bitwise_count(first ^ second))


@pytest.fixture
def image() -> Image.Image:
    with Image.open(PHOTOS / "images" / "dachshund.jpg") as image:
        return image.convert("RGB").resize((300, 200))


def test_photographs_of_different_contents_are_told_apart() -> None:
    groups = group_alike(hash_images(PHOTOS / "images", NAMES))
    assert len(set(groups)) == len(NAMES)


@pytest.mark.parametrize("ending", ["bmp", "jpg", "png"])
def test_another_size_brightness_or_coding_leaves_the_hash_alike(
    tmp_path: Path, image: Image.Image, ending: str
) -> None:
    image.save(tmp_path / "original.png")
    ImageEnhance.Brightness(image.resize((450, 300))).enhance(0.8).save(tmp_path / f"changed.{ending}")
    hashes = hash_images(tmp_path, ["original.png", f"changed.{ending}"])
    assert differing(*hashes) <= DISTANCE
    assert len(set(group_alike(hashes))) == 1


def test_a_mirrored_image_has_another_hash(tmp_path: Path, image: Image.Image) -> None:
    image.save(tmp_path / "a.png")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    assert differing(*hash_images(tmp_path, ["a.png", "b.png"])) > 3 * DISTANCE


def test_each_bit_is_a_step_to_a_brighter_place(tmp_path: Path) -> None:
    rising = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (80, 1))
    for name, pixels in (("rising", rising), ("falling", rising[:, ::-1]), ("flat", np.full_like(rising, 9))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    bits = [int(np.bitwise_count(value)) for value in hash_images(tmp_path, ["rising.png", "falling.png", "flat.png"])]
    assert bits == [64, 0, 0]


def test_a_chain_of_small_differences_is_one_group() -> None:
    hashes = np.array([0, 0b111, 0b111111, 2**63 - 1], dtype=np.uint64)
    assert group_alike(hashes, distance=3).tolist() == [0, 0, 0, 1]
    assert group_alike(hashes, distance=2).tolist() == [0, 1, 2, 3]


def test_the_order_of_images_has_no_effect_on_who_is_with_whom() -> None:
    hashes = np.random.default_rng(0).integers(0, 16, 3000).astype(np.uint64)  # more than are compared at once
    order = np.random.default_rng(1).permutation(len(hashes))
    before, after = group_alike(hashes, 0), np.empty(len(hashes), dtype=int)
    after[order] = group_alike(hashes[order], 0)
    assert len(set(zip(before, after))) == len(set(before)) == 16


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(UserError, match=r"a\.png: cannot be read as an image"):
        difference_hash(tmp_path / "a.png")
