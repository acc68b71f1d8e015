import pytest
import torch

from grmp.io.digest import digest
from grmp.settings import Qgr

DIFFERENT = [
    [1, 2],
    [[1], 2],
    [1, [2]],
    "12",
    12,
    12.0,
    True,
    None,
    {"a": 1},
    [["a", 1], 0],
    torch.tensor([1.0, 2.0]),
    torch.tensor([[1.0, 2.0]]),
    torch.tensor([1, 2]),
    torch.tensor([1.0, 2.0 + 1e-6]),
]


def test_different_content_gives_different_digests_and_equal_content_equal_ones() -> None:
    digests = [digest(value) for value in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)
    assert digests == [digest(value) for value in DIFFERENT]


def test_settings_count_by_their_values() -> None:
    one, other = (Qgr(when="aligned", strength=strength, scope="tensor") for strength in (1.0, 2.0))
    assert digest(one) == digest(one.model_copy()) != digest(other)


def test_a_tensor_counts_by_its_values_whatever_its_strides() -> None:
    tensor = torch.rand(3, 4)
    assert digest(tensor.T) == digest(tensor.T.contiguous()) != digest(tensor)


def test_a_value_whose_content_is_not_known_is_refused() -> None:
    with pytest.raises(TypeError, match="no digest of a object"):
        digest([object()])
