import math

import pytest
import torch
from grmp.readback import Readback

from grmp.errors import UserError


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
