import math

import pytest
import torch

from grmp.checks import check_step, first_not_finite, largest, listed
from grmp.errors import UserError


def check(loss: float = 0.5, gradient: float = 1.0) -> None:
    gradients = [torch.zeros(3), torch.tensor([[0.0, gradient]])]
    check_step("tune", 7, {"quality": loss, "semantic": 2.0}, float(largest(gradients)), "rows 3, 4", "lower the rate")


def test_the_largest_gradient_is_that_of_all_tensors_whatever_its_sign() -> None:
    assert largest([torch.tensor([1.0, -7.0]), torch.tensor([[2.0]])]) == 7


def test_finite_steps_pass_however_large() -> None:
    check(1e30, 3e38)


@pytest.mark.parametrize(
    "wrong", [{"loss": math.nan}, {"loss": math.inf}, {"gradient": math.nan}, {"gradient": -math.inf}]
)
def test_step_values_batch_and_remedy_are_told(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"^tune: step 7: .*in the batch: rows 3, 4; lower the rate$") as error:
        check(**wrong)
    assert {"loss": "quality", "gradient": "largest gradient"}[next(iter(wrong))] in str(error.value)


def test_of_many_places_the_first_are_listed() -> None:
    assert listed(torch.tensor([3, 1])) == "3, 1"
    assert listed(range(30), most=2) == "0, 1 and 28 more"


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_the_first_tensor_that_is_not_finite_is_named(kind: torch.dtype, wrong: float) -> None:
    values = {"whole": torch.ones(2, dtype=torch.int64), "none": torch.empty(0), "a": torch.ones(5, dtype=kind)}
    assert first_not_finite(values) is None
    values["a"][3] = wrong
    assert first_not_finite(values) == "a"
