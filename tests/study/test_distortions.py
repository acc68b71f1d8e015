"""Properties of the 25 distortions: shapes, purity, seeds, ranges, and that the codecs are the real ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from grmp.errors import UserError
from study.data.distortions import DISTORTIONS, LEVELS, by_name, distort
from study.data.distortions.blur import disc_kernel, motion_kernel
from study.data.distortions.brightness import mean_shift
from study.data.distortions.compression import decode, encode

PHOTOGRAPHS = Path(__file__).parents[2] / "assets/photos/images"
NAMES = [distortion.name for distortion in DISTORTIONS]
RANDOM = {
    "motion_blur", "colour_shift", "white_noise", "white_noise_ycbcr", "impulse_noise", "multiplicative_noise",
    "denoising", "jitter", "displaced_patches", "colour_blocks",
}  # fmt: skip
MIDDLE_IS_MILDEST = {"mean_shift", "contrast"}


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def synthetic(height: int, width: int) -> np.ndarray:
    """Gradients, stripes and texture in three different channels, over the full range."""
    down, right = np.mgrid[:height, :width]
    waves = 127 + 80 * np.sin(right / 3) * np.cos(down / 5)
    image = np.stack([waves, 255 * right / (width - 1), 255 * down / (height - 1)], axis=-1)
    return (image + seeded().normal(0, 10, image.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.array(Pillow.open(PHOTOGRAPHS / "dachshund.jpg").convert("RGB"))


def error(reference: np.ndarray, image: np.ndarray) -> float:
    return float(np.mean((reference.astype(float) - image) ** 2))


def test_the_table_is_kadids() -> None:
    assert sorted(distortion.number for distortion in DISTORTIONS)[:25] == list(range(1, 26))
    assert len(set(NAMES)) == len({distortion.title for distortion in DISTORTIONS}) == len(DISTORTIONS)
    assert all(len(distortion.levels) == 5 for distortion in DISTORTIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (384, 512)])
def test_shape_and_input_are_kept(name: str, size: tuple[int, int]) -> None:
    image = synthetic(*size)
    before = image.copy()
    for level in (1, 5):
        result = distort(image, name, level, seeded())
        assert result.shape == image.shape
        assert result.dtype == np.uint8
        assert not np.shares_memory(result, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", NAMES)
def test_the_strongest_level_changes_the_image(name: str, photograph: np.ndarray) -> None:
    assert error(photograph, distort(photograph, name, 5, seeded())) > 1


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_nothing_else(name: str) -> None:
    image = synthetic(64, 96)
    first, again, other = (distort(image, name, 5, seeded(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (name not in RANDOM)


@pytest.mark.parametrize("name", sorted(set(NAMES) - MIDDLE_IS_MILDEST))
def test_error_grows_with_level(name: str, photograph: np.ndarray) -> None:
    errors = [error(photograph, distort(photograph, name, level, seeded())) for level in LEVELS]
    # A random direction or place may cost a little between neighbours; over two levels the error must grow.
    assert all(later > earlier for earlier, later in zip(errors, errors[2:]))


@pytest.mark.parametrize("name", sorted(MIDDLE_IS_MILDEST))
def test_the_error_falls_to_the_middle_and_rises_again(name: str, photograph: np.ndarray) -> None:
    errors = [error(photograph, distort(photograph, name, level, seeded())) for level in LEVELS]
    assert errors[0] > errors[1] > errors[2]
    assert errors[3] < errors[4]
    # Contrast at levels 3 and 4 bends the curve by the same amount, one way and the other.
    assert errors[2] < 1.01 * errors[3]


@pytest.mark.parametrize(("name", "level"), [("gaussian_blur", 1), ("motion_blur", 1), ("mean_shift", 3)])
def test_levels_that_are_the_identity_in_kadid_are_so_here(name: str, level: int, photograph: np.ndarray) -> None:
    np.testing.assert_array_equal(distort(photograph, name, level, seeded()), photograph)


def test_disc_kernel_is_matlabs() -> None:
    # fspecial('disk', 1) in MATLAB's documentation.
    expected = [[0.0251, 0.1453, 0.0251], [0.1453, 0.3183, 0.1453], [0.0251, 0.1453, 0.0251]]
    np.testing.assert_allclose(disc_kernel(1), expected, atol=2e-3)


def test_motion_kernel_is_a_line_of_its_length() -> None:
    kernel = motion_kernel(5, 0.0)
    middle = kernel[len(kernel) // 2]
    np.testing.assert_allclose(middle[middle > 0], 0.2, atol=1e-6)
    assert kernel.sum() == pytest.approx(1)
    assert np.count_nonzero(kernel) == 5


def test_jpeg_is_jpeg_of_that_quality(photograph: np.ndarray) -> None:
    data = encode(photograph, format="JPEG", quality=7, subsampling="4:2:0")
    assert data[:2] == b"\xff\xd8"
    np.testing.assert_array_equal(distort(photograph, "jpeg", 4, seeded()), decode(data))


def test_jpeg_shows_its_blocks(photograph: np.ndarray) -> None:
    steps = np.abs(np.diff(distort(photograph, "jpeg", 5, seeded()).astype(float), axis=1)).mean(axis=(0, 2))
    edges = np.arange(steps.size) % 8 == 7
    assert steps[edges].mean() > 2 * steps[~edges].mean()


@pytest.mark.parametrize(("level", "ratio"), [(1, 16), (3, 45), (5, 400)])
def test_jpeg2000_reaches_its_ratio_with_the_colour_transform(level: int, ratio: int, photograph: np.ndarray) -> None:
    options = {"format": "JPEG2000", "quality_mode": "rates", "quality_layers": [ratio], "irreversible": True}
    with_colour, without = encode(photograph, **options, mct=1), encode(photograph, **options, mct=0)
    assert with_colour[4:8] == b"jP  "
    assert photograph.size / len(with_colour) == pytest.approx(ratio, rel=0.05)
    result = distort(photograph, "jpeg2000", level, seeded())
    np.testing.assert_array_equal(result, decode(with_colour))
    assert error(photograph, result) < error(photograph, decode(without))


@pytest.mark.parametrize(("name", "variance"), [("white_noise", 0.01), ("multiplicative_noise", 0.05)])
def test_noise_has_its_variance(name: str, variance: float) -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    scale = 1.0 if name == "white_noise" else 128 / 255
    assert np.var(distort(grey, name, 5, seeded()) / 255) == pytest.approx(variance * scale**2, rel=0.03)


def test_impulses_have_their_density() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    assert np.mean(distort(grey, "impulse_noise", 5, seeded()) != 128) == pytest.approx(0.03, rel=0.05)


def test_saturation_in_hsv_keeps_value_and_greys_at_zero(photograph: np.ndarray) -> None:
    grey = distort(photograph, "saturation_hsv", 4, seeded())
    np.testing.assert_array_equal(grey, np.repeat(photograph.max(axis=2, keepdims=True), 3, axis=2))


@pytest.mark.parametrize(("level", "colours"), [(1, 64), (5, 8)])
def test_colour_quantisation_keeps_its_palette(level: int, colours: int, photograph: np.ndarray) -> None:
    result = distort(photograph, "colour_quantisation", level, seeded())
    assert len(np.unique(result.reshape(-1, 3), axis=0)) <= colours


@pytest.mark.parametrize(("level", "thresholds"), [(1, 20), (5, 7)])
def test_quantisation_keeps_its_values(level: int, thresholds: int, photograph: np.ndarray) -> None:
    values = np.unique(distort(photograph, "quantisation", level, seeded()))
    assert len(values) == thresholds + 1
    assert (values[0], values[-1]) == (0, 255)


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_image_is_no_trouble(name: str) -> None:
    blank = np.full((40, 32, 3), 90, np.uint8)
    assert distort(blank, name, 5, seeded()).shape == blank.shape


def test_mean_shift_loses_only_the_clipped_end() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
    lighter = mean_shift(ramp, 0.15, seeded())[0, :, 0].astype(int)
    assert (lighter.min(), lighter.max()) == (0, 255)
    assert np.mean(lighter == 255) == pytest.approx(0.15, abs=0.01)


def test_number_name_and_object_are_the_same_distortion() -> None:
    image, distortion = synthetic(48, 64), by_name("jpeg")
    results = [distort(image, chosen, 3, seeded()) for chosen in (10, "jpeg", distortion)]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_an_unknown_name_is_named_with_those_known() -> None:
    with pytest.raises(UserError, match=r"'fog'.*gaussian_blur.*contrast"):
        by_name("fog")


@pytest.mark.parametrize(
    ("image", "number", "level", "message"),
    [
        (np.zeros((40, 40, 3), np.float32), 1, 1, "float32"),
        ([[0]], 1, 1, "list"),
        (np.zeros((40, 40), np.uint8), 1, 1, r"\(40, 40\)"),
        (np.zeros((40, 40, 4), np.uint8), 1, 1, r"\(40, 40, 4\)"),
        (np.zeros((31, 40, 3), np.uint8), 1, 1, "32 pixels"),
        (np.zeros((40, 40, 3), np.uint8), 26, 1, "26"),
        (np.zeros((40, 40, 3), np.uint8), 1, 0, "level"),
        (np.zeros((40, 40, 3), np.uint8), 1, 2.5, "level"),
    ],
)
def test_errors_name_what_is_wrong(image: np.ndarray, number: int, level: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distort(image, number, level, seeded())
