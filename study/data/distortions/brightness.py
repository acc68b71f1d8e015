"""Brighten, darken and mean shift (KADID-10k types 16 to 18)."""

import cv2
import numpy as np

from study.data.distortions.core import Distortion, Image, UnitImage, to_bytes, to_lab, to_unit
from study.data.distortions.curves import tone_curve


def brighten(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Lift mid-grey by `amount` / 2 on the scale 0..1: two parts on R, G, B, one part on Lab's lightness."""
    lab = to_lab(image)
    lab[..., 0] = 100 * tone_curve(lab[..., 0] / 100, (0, 0.5, 1), (0, 0.5 + amount / 2, 1))
    lightness: UnitImage = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    channels = tone_curve(to_unit(image), (0, 0.5, 1), (0, 0.5 + amount / 2, 1))
    return to_bytes((2 * channels + lightness) / 3)


def darken(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Lower mid-grey by `amount` / 2 on the scale 0..1, in each of R, G and B."""
    return to_bytes(tone_curve(to_unit(image), (0, 0.5, 1), (0, 0.5 - amount / 2, 1)))


def mean_shift(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Add `amount` (scale 0..1), clip, and stretch back to the range that the image had.

    KADID's generator stretches every result to the full range. Only here does that change the picture much: what stays
    is the clipped end, which is why its raters found even 0.15 mild.
    """
    shifted = np.clip(to_unit(image) + np.float32(amount), 0, 1)
    low, high = float(image.min()) / 255, float(image.max()) / 255
    return to_bytes(cv2.normalize(shifted, None, low, high, cv2.NORM_MINMAX))


# Strengths: imdist_generator.m, cases 16 to 18, on the scale 0..1. The mean shift is no change in the middle.
BRIGHTNESS = (
    Distortion(16, "brighten", "Brighten", "brightness", (0.1, 0.2, 0.4, 0.7, 1.1), brighten),
    Distortion(17, "darken", "Darken", "brightness", (0.05, 0.1, 0.2, 0.4, 0.8), darken),
    Distortion(18, "mean_shift", "Mean shift", "brightness", (0.15, 0.08, 0, -0.08, -0.15), mean_shift),
)
