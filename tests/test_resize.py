import numpy as np
import pytest
import torch
from PIL import Image

from grmp.crops import resize_image, resize_tensor, scaled_sides


@pytest.fixture
def image() -> np.ndarray:
    """A smooth picture of 90 x 120 pixels."""
    rows, columns = np.mgrid[0:90, 0:120]
    return np.stack([rows * 2, columns * 2, 255 - rows - columns], axis=-1).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(300, 400, (48, 64)), (400, 300, (64, 48)), (48, 48, (48, 48)), (33, 500, (48, 727))],
)
def test_the_shorter_side_gets_its_length_and_the_shape_stays(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert scaled_sides(height, width, 48) == expected


def test_bytes_are_resized_as_the_sets_are_stored(image: np.ndarray) -> None:
    expected = Image.fromarray(image).resize((64, 48), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(resize_image(image, 48), np.asarray(expected))


def test_what_has_the_size_stays_as_it_is(image: np.ndarray) -> None:
    np.testing.assert_array_equal(resize_image(image, 90), image)
    images = torch.rand(1, 3, 48, 70)
    assert resize_tensor(images, 48) is images


@pytest.mark.parametrize("short_side", [48, 150])
def test_both_ways_agree_within_a_few_levels(image: np.ndarray, short_side: int) -> None:
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    found = resize_tensor(tensor, short_side)[0].permute(1, 2, 0).numpy() * 255
    expected = resize_image(image, short_side)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 6
    assert np.abs(found - expected).mean() < 0.6


def test_values_stay_between_0_and_1() -> None:
    images = (torch.rand(1, 3, 20, 20) > 0.5).float()
    resized = resize_tensor(images, 48)
    assert resized.min() >= 0
    assert resized.max() <= 1
