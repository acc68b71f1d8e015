"""What the image tower sees of an image: resizing, and square crops."""

import numpy as np
import torch
from jaxtyping import Float, Num, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def random_crop(image: UInt8[Tensor, "3 h w"], size: int, generator: torch.Generator) -> UInt8[Tensor, "3 s s"]:
    """A crop at a random place, mirrored every other time."""
    top, left = (int(torch.randint(side - size + 1, (1,), generator=generator)) for side in image.shape[1:])
    crop = image[:, top : top + size, left : left + size]
    return crop.flip(-1) if torch.rand(1, generator=generator) < 0.5 else crop


def even_crops(images: Num[Tensor, "*b 3 h w"], size: int, count: int) -> Num[Tensor, "count *b 3 s s"]:
    """`count` crops, evenly spread along the diagonal, of an image or of several; one alone is the centre."""
    shares = [0.5] if count == 1 else [index / (count - 1) for index in range(count)]
    height, width = images.shape[-2:]
    places = [(round(share * (height - size)), round(share * (width - size))) for share in shares]
    return torch.stack([images[..., top : top + size, left : left + size] for top, left in places])


def to_float(crops: UInt8[Tensor, "*b 3 s s"]) -> Float[Tensor, "*b 3 s s"]:
    """Bytes to [0, 1]."""
    return crops.float() / 255


def scaled_sides(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width in pixels after the shorter of the two became `short_side`."""
    scale = short_side / min(height, width)
    return round(height * scale), round(width * scale)


def resize_image(image: UInt8[np.ndarray, "h w 3"], short_side: int) -> UInt8[np.ndarray, "H W 3"]:
    """Bytes, by Pillow's Lanczos filter, as the study's sets are stored."""
    height, width = scaled_sides(image.shape[0], image.shape[1], short_side)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def resize_tensor(images: Float[Tensor, "b 3 h w"], short_side: int) -> Float[Tensor, "b 3 H W"]:
    """Floats in [0, 1], by torch's antialiased bicubic filter, through which gradients pass.

    Images that have the size already are returned as they are. The two filters differ little, but they differ.
    """
    sides = scaled_sides(images.shape[-2], images.shape[-1], short_side)
    if sides == tuple(images.shape[-2:]):
        return images
    return F.interpolate(images, sides, mode="bicubic", antialias=True).clamp(0, 1)


def squash(image: UInt8[Tensor, "3 h w"], side: int) -> UInt8[Tensor, "3 s s"]:
    """The whole image as a square of `side` pixels, by torch's antialiased bicubic filter; its shape is lost."""
    return F.interpolate(image[None], (side, side), mode="bicubic", antialias=True)[0]
