"""Images as arrays: what Pillow, OpenCV and scikit-image take, in and out of tensors."""

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from grmp.crops import resize, to_tensor


def to_array(image: UInt8[Tensor, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels as NumPy has them."""
    return image.permute(1, 2, 0).contiguous().numpy()


def resize_image(image: UInt8[np.ndarray, "h w 3"], short_side: int) -> UInt8[np.ndarray, "H W 3"]:
    """As `grmp.crops.resize`, of an array."""
    return to_array(resize(to_tensor(image), short_side))
