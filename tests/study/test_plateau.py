"""The rate and the end of training under the published protocol."""

import pytest
import torch

from study.stages.plateau import Plateau, agreement

TRUTH = torch.linspace(0, 1, 12)
GOOD, BAD = TRUTH**2, -TRUTH


def descent(rate: float = 1e-3) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)]}] * 1, lr=rate)


def rates(looks: list[torch.Tensor]) -> list[float]:
    plateau, optimiser, found = Plateau(TRUTH), descent(), []
    for look in looks:
        plateau(optimiser, look)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def test_the_rate_falls_at_the_sixth_look_without_a_new_best() -> None:
    assert rates([GOOD] + [BAD] * 12) == pytest.approx([1e-3] * 6 + [3e-4] * 6 + [9e-5])


def test_a_new_best_starts_the_count_anew() -> None:
    assert rates([BAD] + [BAD] * 5 + [GOOD] + [BAD] * 5) == pytest.approx([1e-3] * 12)
    assert rates([GOOD] * 7) == pytest.approx([1e-3] * 6 + [3e-4])  # an equal one is none


def test_training_ends_under_the_least_rate() -> None:
    plateau, optimiser = Plateau(TRUTH), descent()
    looks = next(look for look in range(1, 100) if plateau(optimiser, GOOD))
    assert looks == 1 + 7 * 6  # 1e-3 * 0.3 ** 7 is the first under 5e-7
    assert optimiser.param_groups[0]["lr"] == pytest.approx(2.187e-7)


def test_the_best_look_is_that_of_the_greatest_sum() -> None:
    assert agreement(TRUTH, TRUTH.numpy()) == pytest.approx(2, abs=1e-3)
    assert agreement(BAD, TRUTH.numpy()) < agreement(GOOD, TRUTH.numpy())
