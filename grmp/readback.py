"""What training tells of its steps, read back from the device a few steps at a time.

A number that the host asks for makes it wait until the device has caught up. So it asks seldom, and for many at once.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from grmp.finite import check_step, largest, listed

EVERY = 10
"""Steps between two readings."""


class Told(NamedTuple):
    """One step: its number from 1, how many images it saw, its losses, and its other numbers."""

    step: int
    images: int
    losses: dict[str, float]
    others: dict[str, float]


class Readback:
    """Keeps each step's losses, other numbers and largest gradient on the device until they are read.

    Args:
        title: what is being trained.
        remedy: what to try where a number is not finite, in words.
    """

    def __init__(self, title: str, remedy: str) -> None:
        self.title, self.remedy = title, remedy
        self._kept: list[tuple[int, Int[Tensor, " b"], Tensor]] = []

    def add(
        self,
        step: int,
        places: Int[Tensor, " b"],
        losses: dict[str, Tensor],
        others: dict[str, Tensor],
        gradient: Sequence[Tensor],
    ) -> None:
        """Keep what a step tells: `losses` must be finite, `others` need not; `places` are its images'."""
        self._names = tuple(losses), tuple(others)
        numbers = torch.stack([*losses.values(), *others.values(), largest(gradient)])
        self._kept.append((step, places, numbers.detach()))

    def read(self) -> Iterator[Told]:
        """The steps since the last reading, by one transfer.

        Raises:
            UserError: a loss or a gradient is NaN or infinite; with the step and the rows of its images.
        """
        kept, self._kept = self._kept, []
        rows = torch.stack([numbers for _, _, numbers in kept]).tolist() if kept else []
        for (step, places, _), (*values, gradient) in zip(kept, rows):
            losses = dict(zip(self._names[0], values))
            check_step(self.title, step, losses, gradient, f"rows {listed(places)} of the labels", self.remedy)
            yield Told(step, len(places), losses, dict(zip(self._names[1], values[len(losses) :])))
