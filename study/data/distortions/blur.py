"""Gaussian, lens and motion blur (KADID-10k types 1 to 3)."""

import cv2
import numpy as np
from jaxtyping import Float32

from study.data.distortions.core import Distortion, Image

Kernel = Float32[np.ndarray, "side side"]
OVERSAMPLING = 32  # places within a pixel, along either axis, at which a disc is asked whether it covers them


def gaussian_blur(image: Image, sigma: float, generator: np.random.Generator) -> Image:
    """Gaussian of standard deviation `sigma` pixels, cut at two of them as in MATLAB's `imgaussfilt`."""
    side = 2 * int(np.ceil(2 * sigma)) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def disc_kernel(radius: float) -> Kernel:
    """The share of each pixel that a disc of `radius` pixels covers, normalised to sum 1 (MATLAB's `fspecial`)."""
    reach = int(np.ceil(radius - 0.5))
    fine = (np.arange((2 * reach + 1) * OVERSAMPLING) + 0.5) / OVERSAMPLING - reach - 0.5
    disc = (fine[:, None] ** 2 + fine**2 <= radius**2).astype(np.float32)
    kernel = cv2.resize(disc, (2 * reach + 1, 2 * reach + 1), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()


def lens_blur(image: Image, radius: float, generator: np.random.Generator) -> Image:
    """Out-of-focus blur: the mean over a disc of `radius` pixels."""
    return cv2.filter2D(image, -1, disc_kernel(radius), borderType=cv2.BORDER_REPLICATE)


def motion_kernel(length: float, angle: float) -> Kernel:
    """An anti-aliased line of `length` pixels at `angle` radians: weight 1 - distance, normalised to sum 1."""
    reach = int(np.ceil(length / 2))
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    half = (length - 1) / 2
    along = np.clip(right * np.cos(angle) - down * np.sin(angle), -half, half)
    distance = np.hypot(right - along * np.cos(angle), down + along * np.sin(angle))
    kernel = np.maximum(1 - distance, 0).astype(np.float32)
    return kernel / kernel.sum()


def motion_blur(image: Image, length: float, generator: np.random.Generator) -> Image:
    """Camera motion over `length` pixels in a random direction."""
    kernel = motion_kernel(length, generator.uniform(0, np.pi))
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)


# Strengths: imdist_generator.m, cases 1 to 3. In pixels: standard deviation, radius, length.
BLUR = (
    Distortion(1, "gaussian_blur", "Gaussian blur", "blur", (0.1, 0.5, 1, 2, 5), gaussian_blur),
    Distortion(2, "lens_blur", "Lens blur", "blur", (1, 2, 4, 6, 8), lens_blur),
    Distortion(3, "motion_blur", "Motion blur", "blur", (1, 2, 4, 6, 10), motion_blur),
)
