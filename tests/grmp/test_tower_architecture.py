import pytest
import torch
from torch import nn

from grmp.io.architecture import check_describes
from grmp.io.identity import LONGEST_CONTEXT, MOST_BLOCKS, check


@pytest.mark.parametrize("tower", ["vision_cfg", "text_cfg"])
@pytest.mark.parametrize("layers", [0, -1, MOST_BLOCKS + 1, 2**40, 1.5, "3", None, True, [10**9] * 4, [1] * 5])
def test_towers_without_end_are_refused(config: dict, tower: str, layers: object) -> None:
    check(config)
    config[tower]["layers"] = layers
    with pytest.raises(ValueError, match="has layers"):
        check(config)


def test_a_context_without_end_is_refused(config: dict) -> None:
    config["text_cfg"]["context_length"] = LONGEST_CONTEXT + 1
    with pytest.raises(ValueError, match="has context_length"):
        check(config)


@pytest.mark.parametrize("wrong", [None, [], 5, {}, {"vision_cfg": {}}, {"vision_cfg": {}, "text_cfg": 3}])
def test_what_is_no_configuration_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="no configuration"):
        check(wrong)


def test_weights_are_compared_by_name_and_shape_without_memory() -> None:
    small = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    check_describes(lambda: nn.Linear(3, 2), small)
    with pytest.raises(ValueError, match=r"weight is \(2, 3\), and should be \(1000000, 1000000\)|bias is"):
        check_describes(lambda: nn.Linear(10**6, 10**6), small)  # 4 TB
    with pytest.raises(ValueError, match="extra is"):
        check_describes(lambda: nn.Linear(3, 2), small | {"extra": torch.ones(1)})


def test_a_model_that_cannot_be_made_is_told() -> None:
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        check_describes(lambda: 1 // 0, {})
