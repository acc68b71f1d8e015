"""What the image tower sees of an image: square crops, cut at one or several scales.

A scale is the number of pixels that the shorter side is brought to, or `native`: the image in its own pixels, where
compression, noise and slight blur are still there.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Num, UInt8
from torch import Tensor
from torch.nn import functional as F

Scale = int | Literal["native"]
Views = Sequence[tuple[Scale, int]]
"""Scales, and how many even crops are cut at each."""
LARGEST = 512
"""Most pixels of a native image's shorter side; larger images are shrunk to it before anything is cut. So a native crop
of 224 shows at least 44 % of the shorter side, whatever the camera: as much as of the sets that the method was tried on
(LIVEC 500 pixels, BIQ2021 512), and a photograph of 12 megapixels costs no more than these."""


def cut_views(images: Num[Tensor, "*b 3 h w"], views: Views, crop: int) -> Num[Tensor, "view *b 3 s s"]:
    """All crops of an image or of several of one size, scale by scale: of bytes as of floats in [0, 1].

    Every place of the method where an image is looked at cuts it here.
    """
    images = bound(images, *(scale for scale, _ in views))
    return torch.cat([even_crops(at_scale(images, scale, crop), crop, count) for scale, count in views])


def random_view(
    image: UInt8[Tensor, "3 h w"], scale: Scale, crop: int, generator: torch.Generator
) -> UInt8[Tensor, "3 s s"]:
    """A crop of an image at `scale`, from a random place, mirrored every other time."""
    return random_crop(at_scale(bound(image, scale), scale, crop), crop, generator)


def centre_views(views: Views) -> Views:
    """The same scales with one crop of each, from the centre."""
    return [(scale, 1) for scale, _ in views]


def view_weights(views: Views) -> Float[Tensor, " view"]:
    """What every crop counts in a mean over the crops of each scale, then over the scales; they add up to 1."""
    return torch.cat([torch.full((count,), 1 / (count * len(views))) for _, count in views])


def average(values: Float[Tensor, "n view *shape"], weights: Float[Tensor, " view"]) -> Float[Tensor, "n *shape"]:
    """The mean over an image's crops, each counted as `view_weights` says."""
    return torch.tensordot(values.float(), weights.to(values.device), dims=([1], [0]))


def bound(images: Num[Tensor, "*b 3 h w"], *scales: Scale) -> Num[Tensor, "*b 3 H W"]:
    """Images shrunk to a shorter side of `LARGEST` pixels (or the largest of `scales`); smaller ones stay."""
    most = max(LARGEST, *(scale for scale in scales if scale != "native"), 0)
    return resize(images, min(most, *images.shape[-2:]))


def at_scale(images: Num[Tensor, "*b 3 h w"], scale: Scale, crop: int) -> Num[Tensor, "*b 3 H W"]:
    """Images at a scale, enlarged as far as it takes where a crop would not fit in."""
    return resize(images, max(crop, min(images.shape[-2:]) if scale == "native" else scale))


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


def resize(images: Num[Tensor, "*b 3 h w"], short_side: int) -> Num[Tensor, "*b 3 H W"]:
    """Images whose shorter side is `short_side` pixels; as they are where it is already. Gradients pass."""
    return _interpolate(images, scaled_sides(images.shape[-2], images.shape[-1], short_side))


def squash(image: UInt8[Tensor, "3 h w"], side: int) -> UInt8[Tensor, "3 s s"]:
    """The whole image as a square of `side` pixels; its shape is lost."""
    return _interpolate(image, (side, side))


def _interpolate(images: Num[Tensor, "*b 3 h w"], sides: tuple[int, int]) -> Num[Tensor, "*b 3 H W"]:
    """By torch's antialiased bicubic filter, always in floats: its arithmetic in bytes is up to six levels off."""
    if sides == tuple(images.shape[-2:]):
        return images
    top = 1.0 if images.is_floating_point() else 255.0
    batch = images.reshape(-1, *images.shape[-3:]).float()
    resized = F.interpolate(batch, sides, mode="bicubic", antialias=True).clamp(0, top)
    resized = resized if images.is_floating_point() else resized.round().to(images.dtype)
    return resized.reshape(*images.shape[:-2], *sides)


def to_tensor(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    """Pixels as torch has them, in memory of their own."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)
