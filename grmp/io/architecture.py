"""Checks that a checkpoint's weights are those of a model, before memory is allocated."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def check_describes(make: Callable[[], nn.Module], weights: dict[str, Tensor]) -> None:
    """Check that the model of `make` would have exactly these weights, without allocating it.

    Raises:
        ValueError: another name or shape, or `make` fails.
    """
    try:
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in make().state_dict().items()}
    except Exception as error:  # a configuration can be wrong in any of Python's ways
        raise ValueError(f"{type(error).__name__}: {error}") from None
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ValueError(f"{name} is {found.get(name)}, and should be {wanted.get(name)}")
