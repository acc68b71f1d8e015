"""The 25 distortion types of KADID-10k at five levels each: pure functions of image, level and generator."""

import numpy as np

from grmp.errors import UserError
from study.data.distortions.blur import BLUR
from study.data.distortions.brightness import BRIGHTNESS
from study.data.distortions.colour import COLOUR
from study.data.distortions.compression import COMPRESSION
from study.data.distortions.core import Distortion, Image
from study.data.distortions.noise import NOISE
from study.data.distortions.sharpness import SHARPNESS
from study.data.distortions.spatial import SPATIAL

__all__ = ["DISTORTIONS", "LEVELS", "SMALLEST_SIDE", "Distortion", "Image", "by_name", "distort"]

DISTORTIONS: tuple[Distortion, ...] = BLUR + COLOUR + COMPRESSION + NOISE + BRIGHTNESS + SPATIAL + SHARPNESS
LEVELS = (1, 2, 3, 4, 5)
SMALLEST_SIDE = 32  # pixels


def by_name(name: str) -> Distortion:
    """The distortion called `name`, such as "gaussian_blur".

    Raises:
        UserError: there is none of that name; the message lists those there are.
    """
    for distortion in DISTORTIONS:
        if distortion.name == name:
            return distortion
    known = ", ".join(distortion.name for distortion in DISTORTIONS)
    raise UserError(f"unknown distortion {name!r}; known are: {known}")


def by_number(number: int) -> Distortion:
    """The distortion with this `number`, KADID-10k's from 1 to 25; any other is a ValueError."""
    for distortion in DISTORTIONS:
        if distortion.number == number:
            return distortion
    raise ValueError(f"distortion number must be 1 to {len(DISTORTIONS)}, not {number}")


def find(distortion: Distortion | int | str) -> Distortion:
    """The distortion itself, or the one of that number or name."""
    if isinstance(distortion, Distortion):
        return distortion
    return by_name(distortion) if isinstance(distortion, str) else by_number(distortion)


def check_image(image: np.ndarray) -> None:
    """Refuse with a ValueError whatever is not an RGB image of bytes with sides of at least 32 pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"image must be a uint8 array, not {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must have shape (height, width, 3), not {image.shape}")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(f"image must be at least {SMALLEST_SIDE} pixels a side, not {image.shape[:2]}")


def distort(image: Image, distortion: Distortion | int | str, level: int, generator: np.random.Generator) -> Image:
    """Distort an RGB image as KADID-10k does (Lin et al., QoMEX 2019).

    Args:
        image: uint8, H x W x 3, RGB, both sides at least 32 pixels; it is not changed.
        distortion: one of `DISTORTIONS`, its number or its name.
        level: 1 (weakest) to 5. For the mean shift and the contrast change the middle is the weakest.
        generator: where all randomness comes from; one in the same state gives the same bytes.

    Returns:
        A new uint8 array of the same shape.

    Raises:
        ValueError: wrong dtype, shape, size, level or number.
        UserError: unknown name.
    """
    check_image(image)
    chosen = find(distortion)
    if level not in LEVELS:
        raise ValueError(f"level must be 1 to 5, not {level!r}")
    return chosen.apply(np.ascontiguousarray(image), chosen.levels[level - 1], generator)
