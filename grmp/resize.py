"""Resizing: so that the shorter side has a given number of pixels and the shape stays, or squashed into a square."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def scaled_sides(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width in pixels after the shorter of the two became `short_side`."""
    scale = short_side / min(height, width)
    return round(height * scale), round(width * scale)


def resize_image(image: UInt8[np.ndarray, "h w 3"], short_side: int) -> UInt8[np.ndarray, "H W 3"]:
    """Bytes, by Pillow's Lanczos filter, as the study's sets are stored."""
    height, width = scaled_sides(*image.shape[:2], short_side)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def resize_tensor(images: Float[Tensor, "b 3 h w"], short_side: int) -> Float[Tensor, "b 3 H W"]:
    """Floats in [0, 1], by torch's antialiased bicubic filter, through which gradients pass.

    Images that have the size already are returned as they are. The two filters differ little, but they differ.
    """
    sides = scaled_sides(*images.shape[-2:], short_side)
    if sides == tuple(images.shape[-2:]):
        return images
    return F.interpolate(images, sides, mode="bicubic", antialias=True).clamp(0, 1)


def squash(image: UInt8[Tensor, "3 h w"], side: int) -> UInt8[Tensor, "3 s s"]:
    """The whole image as a square of `side` pixels, by torch's antialiased bicubic filter; its shape is lost."""
    return F.interpolate(image[None], (side, side), mode="bicubic", antialias=True)[0]
