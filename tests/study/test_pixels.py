"""Images as arrays, in and out of tensors."""

import numpy as np
import torch

from grmp.crops import resize
from study.data.pixels import resize_image, to_array


def test_an_array_is_resized_as_its_tensor_is() -> None:
    tensor = torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8)
    found = resize_image(to_array(tensor), 24)
    assert found.shape == (24, 36, 3)
    np.testing.assert_array_equal(found, to_array(resize(tensor, 24)))
