"""What a distortion is, and the pixel ranges that all families share."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

Image = UInt8[np.ndarray, "height width 3"]
UnitImage = Float32[np.ndarray, "height width 3"]
Apply = Callable[[Image, float, np.random.Generator], Image]


@dataclass(frozen=True)
class Distortion:
    """A distortion type with its five strengths; numbers 1 to 25 are KADID-10k's.

    Lin et al., "KADID-10k: A Large-scale Artificially Distorted IQA Database", QoMEX 2019. The strengths are those of
    `imdist_generator.m`, the MATLAB script released with the database. `apply` takes an RGB image (uint8, H x W x 3),
    one of `levels` and a generator, and returns a new image of the same shape.
    """

    number: int
    name: str
    title: str
    family: str
    levels: tuple[float, float, float, float, float]
    apply: Apply


def to_unit(image: Image) -> UnitImage:
    """Bytes 0..255 as float32 0..1."""
    return image.astype(np.float32) / 255


def to_bytes(image: Float32[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Float 0..1 as bytes 0..255, rounded to nearest; what lies outside is clipped."""
    return cv2.convertScaleAbs(np.clip(image, 0, 1), alpha=255)


def to_lab(image: Image) -> UnitImage:
    """CIELAB (D65) of an sRGB image: L in 0..100, a and b about -127..127."""
    return cv2.cvtColor(to_unit(image), cv2.COLOR_RGB2LAB)


def from_lab(lab: UnitImage) -> Image:
    """sRGB bytes of a CIELAB image; colours outside sRGB are clipped."""
    return to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
