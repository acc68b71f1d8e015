"""Checks that a checkpoint's CLIP configuration describes its weights, before memory is allocated."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

MOST_BLOCKS = 128
"""Of either tower; the largest published CLIP has 48."""
LONGEST_CONTEXT = 1024
"""Tokens; the tower's mask grows with the square."""


def check(config: object) -> None:
    """Check that `config` has open_clip's two towers, of bounded sizes.

    Raises:
        ValueError: it has not; with what is wrong in words.
    """
    found = [config.get(name) for name in ("vision_cfg", "text_cfg")] if isinstance(config, dict) else []
    towers = [tower for tower in found if isinstance(tower, dict)]
    if len(towers) != 2:
        raise ValueError("is no configuration of open_clip's")
    limits = [(towers[0], "layers", MOST_BLOCKS), (towers[1], "layers", MOST_BLOCKS)]
    for tower, name, most in [*limits, (towers[1], "context_length", LONGEST_CONTEXT)]:
        value = tower.get(name, 1)
        numbers = value if isinstance(value, list | tuple) else [value]  # several are a convolutional tower's
        if len(numbers) > 4 or not all(type(number) is int and 1 <= number <= most for number in numbers):
            raise ValueError(f"has {name} {value!r:.40}, not a number from 1 to {most}")


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
