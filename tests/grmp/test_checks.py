import math

import pytest
import torch

from grmp.checks import Readback, check_step, first_not_finite, largest, listed
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


def add(told: Readback, step: int, loss: float = 0.5, gradient: float = 1.0, angle: float = math.nan) -> None:
    losses = {"quality": torch.tensor(loss, requires_grad=True), "semantic": torch.tensor(2.0)}
    told.add(step, torch.tensor([step, 7]), losses, {"cosine": torch.tensor(angle)}, [torch.tensor([gradient, 0.0])])


def test_steps_are_told_in_order_and_once() -> None:
    told = Readback("tune", "rest")
    add(told, 1, loss=0.25)
    add(told, 2, angle=0.5)
    first, second = told.read()
    assert (first.step, first.images, first.losses) == (1, 2, {"quality": 0.25, "semantic": 2.0})
    assert math.isnan(first.others["cosine"])  # not every step measures it
    assert second.others == {"cosine": 0.5}
    assert list(told.read()) == []


@pytest.mark.parametrize(
    ("wrong", "name"), [({"loss": math.nan}, "quality nan"), ({"gradient": -math.inf}, "largest gradient inf")]
)
def test_the_first_step_that_is_not_finite_is_named_with_its_images(wrong: dict[str, float], name: str) -> None:
    told = Readback("tune", "rest")
    add(told, 1)
    add(told, 2, **wrong)
    add(told, 3, **wrong)
    steps = told.read()
    assert next(steps).step == 1
    with pytest.raises(UserError, match=rf"^tune: step 2: .*{name}.*rows 2, 7 of the labels; rest$"):
        next(steps)
