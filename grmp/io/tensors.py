"""Tensors on disk: safetensors only, written whole or not at all."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from grmp.checks import first_not_finite
from grmp.errors import UserError
from grmp.io.about import about_of, opened
from grmp.io.files import whole

KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8)
"""What checkpoints are made of."""


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors, and what is said about them, as one whole safetensors file. Equal content gives equal bytes.

    Raises:
        UserError: the file cannot be written.
    """
    # One entry, as safetensors writes several in an order that changes from run to run.
    entry = {"about": json.dumps(about, sort_keys=True)} if about else None
    with whole(path) as beside:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, beside, metadata=entry)


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a safetensors file says of itself, and its tensors.

    Raises:
        UserError: the file is missing or truncated, or holds a NaN, an infinity, or numbers of an unusual kind.
    """
    with opened(path, "pt") as file:
        said, values = about_of(file), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, value in values.items():
        if value.dtype not in KINDS:
            raise UserError(f"{path}: tensor {name} holds {value.dtype}; known are {', '.join(map(str, KINDS))}")
    if name := first_not_finite(values):
        raise UserError(f"{path}: tensor {name} holds numbers that are not finite; make the file anew")
    return said, values
