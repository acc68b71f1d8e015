"""Square crops: what the image tower sees of an image."""

import torch
from jaxtyping import Float, Num, UInt8
from torch import Tensor


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
