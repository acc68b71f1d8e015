import numpy as np
import pytest
import torch
from PIL import Image

from grmp.crops import even_crops, random_crop, resize, scaled_sides, to_float, to_tensor


@pytest.fixture
def image() -> torch.Tensor:
    """Every pixel has a value of its own, so that a crop tells where it was taken."""
    return torch.arange(3 * 8 * 10, dtype=torch.uint8).view(3, 8, 10)


def places(image: torch.Tensor, size: int) -> list[torch.Tensor]:
    rows, columns = (range(side - size + 1) for side in image.shape[1:])
    return [image[:, top : top + size, left : left + size] for top in rows for left in columns]


def test_random_crops_are_parts_of_the_image_and_half_are_mirrored(image: torch.Tensor) -> None:
    generator, straight, mirrored = torch.Generator().manual_seed(0), 0, 0
    for _ in range(400):
        crop = random_crop(image, 6, generator)
        straight += any(torch.equal(crop, place) for place in places(image, 6))
        mirrored += any(torch.equal(crop.flip(-1), place) for place in places(image, 6))
    assert straight + mirrored == 400
    assert 140 < mirrored < 260


def test_random_crops_reach_every_place(image: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = {min(random_crop(image, 6, generator)[0].flatten().tolist()) for _ in range(400)}
    assert len(corners) == 3 * 5


def test_random_crops_follow_the_generator(image: torch.Tensor) -> None:
    one, other = ([random_crop(image, 4, torch.Generator().manual_seed(7)) for _ in range(3)] for _ in range(2))
    assert torch.equal(torch.stack(one), torch.stack(other))


def test_a_crop_of_the_whole_image_is_the_image(image: torch.Tensor) -> None:
    square = image[:, :, :8]
    crop = random_crop(square, 8, torch.Generator().manual_seed(1))
    assert torch.equal(crop, square) or torch.equal(crop.flip(-1), square)
    assert torch.equal(even_crops(square, 8, 2), torch.stack([square, square]))


def test_one_even_crop_is_the_centre(image: torch.Tensor) -> None:
    assert torch.equal(even_crops(image, 4, 1)[0], image[:, 2:6, 3:7])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_even_crops_go_from_corner_to_corner(image: torch.Tensor, count: int) -> None:
    crops = even_crops(image, 4, count)
    assert crops.shape == (count, 3, 4, 4)
    assert torch.equal(crops[0], image[:, :4, :4])
    assert torch.equal(crops[-1], image[:, -4:, -4:])


def test_several_images_are_cropped_alike() -> None:
    images = torch.rand(2, 3, 8, 10)
    crops = even_crops(images, 4, 3)
    assert crops.shape == (3, 2, 3, 4, 4)
    assert all(torch.equal(crops[:, place], even_crops(images[place], 4, 3)) for place in range(2))


def test_bytes_become_shares_of_one() -> None:
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])


@pytest.fixture
def picture() -> np.ndarray:
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


def _resized(picture: np.ndarray, short_side: int) -> np.ndarray:
    return resize(to_tensor(picture), short_side).permute(1, 2, 0).numpy()


def test_bytes_are_resized_as_pillow_does_it_with_the_same_filter(picture: np.ndarray) -> None:
    expected = np.asarray(Image.fromarray(picture).resize((64, 48), Image.Resampling.BICUBIC), dtype=int)
    assert np.abs(_resized(picture, 48) - expected).max() <= 1  # one level of 255


def test_what_has_the_size_stays_as_it_is(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(_resized(picture, 90), picture)
    images = torch.rand(1, 3, 48, 70)
    assert resize(images, 48) is images


@pytest.mark.parametrize("short_side", [48, 150])
def test_both_ways_agree_within_a_few_levels(picture: np.ndarray, short_side: int) -> None:
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    found = resize(tensor, short_side)[0].permute(1, 2, 0).numpy() * 255
    expected = _resized(picture, short_side)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 6
    assert np.abs(found - expected).mean() < 0.6


def test_values_stay_between_0_and_1() -> None:
    images = (torch.rand(1, 3, 20, 20) > 0.5).float()
    resized = resize(images, 48)
    assert resized.min() >= 0
    assert resized.max() <= 1
