"""The published protocol's rate and end of training, which the labels of the test part decide.

A number that it leads to is optimistic, and stands in no table but that of `study.stages.protocol`.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from grmp.metrics import plcc, srcc

PATIENCE, FACTOR, LEAST = 5, 0.3, 5e-7
"""Looks without a new best that are waited for; what multiplies the rate after that; a rate below which it ends."""


class Plateau:
    """Looks at predictions for the test part, whose scores are `truth`; a `grmp.finetune.Look`."""

    def __init__(self, truth: Float[Tensor, " n"]) -> None:
        self.truth = truth.numpy()
        self._schedule: ReduceLROnPlateau | None = None

    def __call__(self, optimiser: torch.optim.Optimizer, predictions: Float[Tensor, " n"]) -> bool:
        """Lower all rates after more than `PATIENCE` looks without a new best of SRCC + PLCC; whether to end."""
        if self._schedule is None:
            self._schedule = ReduceLROnPlateau(optimiser, "max", FACTOR, PATIENCE, threshold=0.0, eps=0.0)
        self._schedule.step(agreement(predictions, self.truth))
        return min(group["lr"] for group in optimiser.param_groups) < LEAST


def agreement(predictions: Float[Tensor, " n"], truth: Float[Tensor, " n"]) -> float:
    """SRCC + PLCC, by which the published code tells which look is the best."""
    given = predictions.numpy(), truth
    return srcc(*given) + plcc(*given)
