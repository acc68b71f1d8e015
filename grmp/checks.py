"""Training stops where a number is not finite, and says at which step and on which images.

On a GPU, the numbers of several steps are read back at a time: the host waits for the device at each reading.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils import get_total_norm

from grmp.errors import UserError


def largest(gradients: Iterable[Tensor]) -> Float[Tensor, ""]:
    """The largest size of any element: NaN or infinite where one is. It stays on the gradients' device."""
    return get_total_norm(gradients, norm_type=math.inf)


def check_step(title: str, step: int, losses: Mapping[str, float], gradient: float, batch: str, remedy: str) -> None:
    """Check that a step's losses and gradients are finite.

    Args:
        title: what is being trained.
        step: its number, from 1.
        losses: by name.
        gradient: the `largest` of those that the step applied.
        batch: what was in the batch, in words.
        remedy: what to try, in words.

    Raises:
        UserError: a loss or a gradient is NaN or infinite.
    """
    if all(map(math.isfinite, (gradient, *losses.values()))):
        return
    values = ", ".join(f"{name} {value:g}" for name, value in {**losses, "largest gradient": gradient}.items())
    raise UserError(f"{title}: step {step}: not every number is finite ({values}); in the batch: {batch}; {remedy}")


def listed(indices: Iterable[int] | Tensor, most: int = 20) -> str:
    """Indices in words, such as `3, 17, 40`; of many the first ones."""
    numbers = indices.tolist() if isinstance(indices, Tensor) else list(indices)
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def first_not_finite(values: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor with a NaN or an infinity; None where there is none."""
    return next((name for name, value in values.items() if not _is_finite(value)), None)


def _is_finite(value: Tensor) -> bool:
    if not value.is_floating_point() or not value.numel():
        return True
    # One pass without a mask as large as the tensor; NaN is both its least and its greatest.
    return bool(torch.isfinite(torch.stack(value.aminmax())).all())


EVERY = 10
"""Steps between two readings."""


class StepRecord(NamedTuple):
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
        indices: Int[Tensor, " b"],
        losses: dict[str, Tensor],
        others: dict[str, Tensor],
        gradient: Sequence[Tensor],
    ) -> None:
        """Keep the numbers of a step: `losses` must be finite, `others` need not; `indices` are its images'."""
        self._names = tuple(losses), tuple(others)
        numbers = torch.stack([*losses.values(), *others.values(), largest(gradient)])
        self._kept.append((step, indices, numbers.detach()))

    def read(self) -> Iterator[StepRecord]:
        """The steps since the last reading, by one transfer.

        Raises:
            UserError: a loss or a gradient is NaN or infinite; with the step and the rows of its images.
        """
        kept, self._kept = self._kept, []
        rows = torch.stack([numbers for _, _, numbers in kept]).tolist() if kept else []
        for (step, indices, _), (*values, gradient) in zip(kept, rows):
            losses = dict(zip(self._names[0], values))
            check_step(self.title, step, losses, gradient, f"rows {listed(indices)} of the labels", self.remedy)
            yield StepRecord(step, len(indices), losses, dict(zip(self._names[1], values[len(losses) :])))
