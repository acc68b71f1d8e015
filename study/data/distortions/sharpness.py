"""Over-sharpening and contrast change (KADID-10k types 24 and 25)."""

import cv2
import numpy as np

from study.data.distortions.core import Distortion, Image, from_lab, to_bytes, to_lab, to_unit
from study.data.distortions.curves import tone_curve

RADIUS = 3  # pixels: the standard deviation of the unsharp mask, as in KADID-10k


def sharpen(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Unsharp masking of Lab's lightness: `amount` times what a Gaussian of 3 pixels takes away is added."""
    lab = to_lab(image)
    lightness, side = lab[..., 0], 4 * RADIUS + 1
    soft = cv2.GaussianBlur(lightness, (side, side), RADIUS, borderType=cv2.BORDER_REPLICATE)
    lab[..., 0] = np.clip(lightness + amount * (lightness - soft), 0, 100)
    return from_lab(lab)


def contrast(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """An S-shaped tone curve through (0.3, 0.25 - amount / 4) and (0.7, 0.75 + amount / 4), so above -0.2 it steepens.

    Levels 3 (amount 0) and 4 (-0.4) bend the curve by the same amount, the one to more and the other to less contrast.
    """
    heights = (0, 0.25 - amount / 4, 0.5, 0.75 + amount / 4, 1)
    return to_bytes(tone_curve(to_unit(image), (0, 0.3, 0.5, 0.7, 1), heights))


# Strengths: imdist_generator.m, cases 24 and 25. Factors; contrast goes from too much to too little.
SHARPNESS = (
    Distortion(24, "sharpen", "Over-sharpening", "sharpness", (1, 2, 3, 6, 12), sharpen),
    Distortion(25, "contrast", "Contrast change", "sharpness", (0.3, 0.15, 0, -0.4, -0.6), contrast),
)
