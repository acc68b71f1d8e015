"""Training stops where a number is not finite, and says at which step and on which images."""

import math
from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from grmp.errors import UserError


def largest(gradients: Iterable[Tensor]) -> Float[Tensor, ""]:
    """The largest size of any element: NaN or infinite where one is. It stays on the gradients' device."""
    ends = [end for gradient in gradients for end in gradient.aminmax()]  # ten times as fast as a maximum norm
    return torch.stack(ends).abs().max()


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
    return next((name for name, value in values.items() if not value.isfinite().all()), None)
