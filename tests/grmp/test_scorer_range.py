"""A scorer refuses values outside of [0, 1], and judges in float32 whatever surrounds it."""

import copy

import pytest
import torch

from grmp.scoring.scorer import Scorer

SIZES = [(64, 64), (48, 70), (200, 90)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: 255 * x, "0 to 255"),
        (lambda x: 2 * x - 1, "-1 to 1"),
        (lambda x: x + 0.01, "0.01 to 1.01"),
        (lambda x: x * float("nan"), "nan to nan"),
        (lambda x: (255 * x).to(torch.uint8), "0 to 255"),
        (lambda x: x.round().int(), "0 to 1"),
    ],
)
def test_other_values_are_an_error_that_names_them(scorer: Scorer, size: tuple, change, told: str) -> None:
    images = torch.rand(2, 3, *size)
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 0, 1
    with pytest.raises(ValueError, match=rf"floats in \[0, 1\], not torch\.\w+ from {told}"):
        scorer(change(images))


@pytest.mark.parametrize("size", SIZES)
def test_rounding_is_no_error(scorer: Scorer, size: tuple) -> None:
    images = torch.rand(2, 3, *size)
    torch.testing.assert_close(scorer(images * (1 + 1e-6)), scorer(images), rtol=1e-4, atol=1e-4)
    assert scorer(torch.full((1, 3, *size), 1 + 1e-6)).isfinite().all()


def test_an_empty_batch_has_no_score(scorer: Scorer) -> None:
    assert scorer(torch.rand(0, 3, 64, 80)).shape == (0,)
    with pytest.raises(ValueError, match="floats in"):
        scorer(torch.zeros(0, 3, 64, 80, dtype=torch.uint8))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", SIZES)
def test_under_autocast_the_score_is_that_of_float32(scorer: Scorer, dtype: torch.dtype, size: tuple) -> None:
    images = torch.rand(2, 3, *size, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        found = scorer(images)
        (slope,) = torch.autograd.grad(found.sum(), images)
    torch.testing.assert_close(found, scorer(images), rtol=0, atol=1e-2)
    assert slope.abs().sum() > 0


@pytest.mark.parametrize("turn", ["half", "bfloat16", "double"])
def test_a_model_around_it_may_be_turned_to_another_type(scorer: Scorer, turn: str) -> None:
    images = torch.rand(2, 3, 64, 80)
    outer = getattr(torch.nn.ModuleList([copy.deepcopy(scorer)]), turn)()
    given = getattr(images, turn)().requires_grad_()
    found = outer[0](given)
    torch.testing.assert_close(found, scorer(images), rtol=0, atol=1e-2)
    found.sum().backward()
    assert given.grad.abs().sum() > 0
    assert all(value.dtype != torch.float16 for value in outer.state_dict().values())
