"""White, colour-component, impulse and multiplicative noise, and denoised noise (KADID-10k types 11 to 15)."""

import cv2
import numpy as np
from skimage.color import ycbcr2rgb
from skimage.util import random_noise

from study.data.distortions.core import Distortion, Image, to_bytes, to_unit


def gaussian(image: Image, variance: float, generator: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise shaped like `image`, float32, of `variance` on the scale 0..1."""
    return np.float32(np.sqrt(variance)) * generator.standard_normal(image.shape, dtype=np.float32)


def white_noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Gaussian noise of `variance` (scale 0..1) in each of R, G and B."""
    return to_bytes(to_unit(image) + gaussian(image, variance, generator))


def white_noise_ycbcr(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Gaussian noise of `variance` (scale 0..1) in each of Y, Cb and Cr (BT.601, studio range as in MATLAB).

    The conversion is affine, so the noise is converted instead of the image: its image under the linear part is added.
    """
    black = np.float32([16, 128, 128])
    noise = ycbcr2rgb(255 * gaussian(image, variance, generator) + black)
    return to_bytes(to_unit(image) + noise.astype(np.float32))


def impulse_noise(image: Image, density: float, generator: np.random.Generator) -> Image:
    """Set a share `density` of all values, channels independently, to 0 or 255 (salt and pepper)."""
    return to_bytes(random_noise(to_unit(image), mode="s&p", amount=density, rng=generator))


def multiplicative_noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Speckle: each value times 1 + uniform noise of mean 0 and `variance`, as MATLAB's `imnoise` draws it."""
    reach = np.sqrt(3 * variance)
    factor = 1 + generator.uniform(-reach, reach, image.shape).astype(np.float32)
    return to_bytes(to_unit(image) * factor)


def denoising(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """White noise of `variance`, then a denoiser; what remains are blotches and lost texture.

    KADID-10k denoises with MATLAB's DnCNN, whose weights are not at hand: non-local means (Buades et al., 2005) of
    filter strength equal to the noise's standard deviation stands in for it.
    """
    noisy = white_noise(image, variance, generator)
    strength = 255 * float(np.sqrt(variance))
    return cv2.fastNlMeansDenoising(noisy, h=[strength], templateWindowSize=5, searchWindowSize=11)


# Strengths: imdist_generator.m, cases 11 to 15. Variances on the scale 0..1; the impulses' is their density.
NOISE = (
    Distortion(11, "white_noise", "White noise", "noise", (0.001, 0.002, 0.003, 0.005, 0.01), white_noise),
    Distortion(
        12, "white_noise_ycbcr", "White noise (YCbCr)", "noise", (1e-4, 5e-4, 0.001, 0.002, 0.003), white_noise_ycbcr
    ),
    Distortion(13, "impulse_noise", "Impulse noise", "noise", (0.001, 0.005, 0.01, 0.02, 0.03), impulse_noise),
    Distortion(
        14,
        "multiplicative_noise",
        "Multiplicative noise",
        "noise",
        (0.001, 0.005, 0.01, 0.02, 0.05),
        multiplicative_noise,
    ),
    Distortion(15, "denoising", "Denoised noise", "noise", (0.01, 0.03, 0.05, 0.1, 0.15), denoising),
)
