"""Jitter, displaced patches, pixelation, quantisation and colour blocks (KADID-10k types 19 to 23)."""

import cv2
import numpy as np

from study.data.distortions.core import Distortion, Image

JITTER_ROUNDS, PATCH, BLOCK = 5, 16, 32  # rounds, pixels, pixels: as in KADID-10k


def jitter(image: Image, amount: float, generator: np.random.Generator) -> Image:
    """Move every pixel by Gaussian noise of `amount` pixels, five times over."""
    height, width = image.shape[:2]
    down, right = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(JITTER_ROUNDS):
        move = np.float32(amount) * generator.standard_normal((2, height, width), dtype=np.float32)
        image = cv2.remap(image, right + move[0], down + move[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return image


def displaced_patches(image: Image, count: float, generator: np.random.Generator) -> Image:
    """Copy `count` patches of 16 pixels a side to places up to 8 pixels away (non-eccentricity patches)."""
    result = image.copy()
    room = np.array(image.shape[:2]) - PATCH
    for _ in range(int(count)):
        source = generator.integers(0, room, endpoint=True)
        target = np.clip(source + generator.integers(-PATCH // 2, PATCH // 2, 2, endpoint=True), 0, room)
        patch = result[source[0] : source[0] + PATCH, source[1] : source[1] + PATCH].copy()
        result[target[0] : target[0] + PATCH, target[1] : target[1] + PATCH] = patch
    return result


def pixelate(image: Image, strength: float, generator: np.random.Generator) -> Image:
    """Shrink to 0.95 - strength ** 0.6 of the size and back, by nearest neighbours."""
    height, width = image.shape[:2]
    scale = 0.95 - strength**0.6
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def quantisation(image: Image, thresholds: float, generator: np.random.Generator) -> Image:
    """Quantise the values of all channels alike at `thresholds` Otsu thresholds.

    The lowest class becomes 0, the highest 255, each between them its upper threshold. Multi-level Otsu minimises the
    variance within the classes, which is k-means in one dimension: on the histogram it takes milliseconds, where an
    exhaustive search over 20 thresholds would never end. An image with fewer values than classes stays as it is.
    """
    classes = int(thresholds) + 1
    values, counts = np.unique(image, return_counts=True)
    if len(values) <= classes:
        return image.copy()
    from sklearn.cluster import KMeans  # takes seconds, which reports that only name the distortions can spare

    start = np.linspace(values[0], values[-1], classes)[:, None]
    fit = KMeans(classes, init=start, n_init=1).fit(values[:, None].astype(float), sample_weight=counts)
    centres = np.sort(fit.cluster_centers_.ravel())
    edges = (centres[:-1] + centres[1:]) / 2
    outputs = np.concatenate([[0], edges[1:], [255]]).round().astype(np.uint8)
    return cv2.LUT(image, outputs[np.searchsorted(edges, np.arange(256))])


def colour_blocks(image: Image, count: float, generator: np.random.Generator) -> Image:
    """Paint `count` squares of random colours, 32 pixels a side or, in small images, a quarter of the shorter side."""
    result = image.copy()
    side = min(BLOCK, min(image.shape[:2]) // 4)
    for _ in range(int(count)):
        top, left = generator.integers(0, np.array(image.shape[:2]) - side, endpoint=True)
        result[top : top + side, left : left + side] = generator.integers(0, 256, 3)
    return result


# Strengths: imdist_generator.m, cases 19 to 23. Pixels, patches, shrinkage, thresholds, blocks.
SPATIAL = (
    Distortion(19, "jitter", "Jitter", "spatial", (0.05, 0.1, 0.2, 0.5, 1), jitter),
    Distortion(20, "displaced_patches", "Displaced patches", "spatial", (20, 40, 60, 80, 100), displaced_patches),
    Distortion(21, "pixelate", "Pixelate", "spatial", (0.01, 0.05, 0.1, 0.2, 0.5), pixelate),
    Distortion(22, "quantisation", "Quantisation", "spatial", (20, 16, 13, 10, 7), quantisation),
    Distortion(23, "colour_blocks", "Colour blocks", "spatial", (2, 4, 6, 8, 10), colour_blocks),
)
