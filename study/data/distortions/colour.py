"""Colour diffusion, shift, quantisation and saturation (KADID-10k types 4 to 8)."""

import cv2
import numpy as np
from jaxtyping import Float32
from PIL import Image as Pillow

from study.data.distortions.core import Distortion, Image, from_lab, to_bytes, to_lab, to_unit


def colour_diffusion(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Blur the chroma (Lab a, b) with sigma 1.5 * amount + 2 pixels, then multiply it by `amount`."""
    lab, sigma = to_lab(image), 1.5 * amount + 2
    side = 2 * int(np.ceil(2 * sigma)) + 1
    chroma = cv2.GaussianBlur(lab[..., 1:], (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    lab[..., 1:] = amount * chroma
    return from_lab(lab)


def edge_weight(image: Image) -> Float32[np.ndarray, "height width"]:
    """Where the edges are, 0..1: smoothed gradient magnitude, its lowest tenth and outer percentiles cut off."""
    grey = cv2.cvtColor(to_unit(image), cv2.COLOR_RGB2GRAY)
    magnitude = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    smooth = cv2.GaussianBlur(magnitude, (17, 17), 4, borderType=cv2.BORDER_REPLICATE)
    floored = np.maximum(smooth / max(float(smooth.max()), 1e-6), 0.1)
    low, high = np.percentile(floored, (1, 99))
    return (np.clip(floored, low, high) - low) / max(high - low, 1e-6)


def colour_shift(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Move the green channel by about `amount` pixels down and right, blended in where the edges are."""
    direction = generator.random(2)
    right, down = np.round(amount * direction / np.linalg.norm(direction))
    height, width = image.shape[:2]
    matrix = np.float32([[1, 0, right], [0, 1, down]])
    shifted = cv2.warpAffine(image[..., 1], matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    weight, result = edge_weight(image), to_unit(image)
    result[..., 1] += weight * (to_unit(shifted) - result[..., 1])
    return to_bytes(result)


def colour_quantisation(image: Image, colours: float, generator: np.random.Generator) -> Image:
    """Keep a palette of `colours` fitted to the image (median cut), with error diffusion as in MATLAB's `rgb2ind`."""
    picture = Pillow.fromarray(image)
    palette = picture.quantize(int(colours), method=Pillow.Quantize.MEDIANCUT)
    return np.array(picture.quantize(palette=palette, dither=Pillow.Dither.FLOYDSTEINBERG).convert("RGB"))


def saturation_hsv(image: Image, factor: float, generator: np.random.Generator) -> Image:
    """Multiply HSV's saturation by `factor`; below 0 it turns colours into their complements.

    With hue and value kept, HSV is linear in the saturation: each channel's distance to the brightest one scales.
    """
    unit = to_unit(image)
    value = unit.max(axis=2, keepdims=True)
    return to_bytes(value - np.float32(factor) * (value - unit))


def saturation_lab(image: Image, factor: float, generator: np.random.Generator) -> Image:
    """Multiply the chroma (Lab a, b) by `factor`."""
    lab = to_lab(image)
    lab[..., 1:] *= factor
    return from_lab(lab)


# Strengths: imdist_generator.m, cases 4 to 8. Chroma factor, pixels, colours in the palette, saturation factors.
COLOUR = (
    Distortion(4, "colour_diffusion", "Colour diffusion", "colour", (1, 3, 6, 8, 12), colour_diffusion),
    Distortion(5, "colour_shift", "Colour shift", "colour", (1, 3, 6, 8, 12), colour_shift),
    Distortion(6, "colour_quantisation", "Colour quantisation", "colour", (64, 48, 32, 16, 8), colour_quantisation),
    Distortion(7, "saturation_hsv", "Colour saturation (HSV)", "colour", (0.4, 0.2, 0.1, 0, -0.4), saturation_hsv),
    Distortion(8, "saturation_lab", "Colour saturation (Lab)", "colour", (1, 2, 3, 6, 9), saturation_lab),
)
