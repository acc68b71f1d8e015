"""Tensors on disk: safetensors only, written whole or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from grmp.errors import UserError
from grmp.files import whole


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors, and what is said about them, as one whole safetensors file. Equal content gives equal bytes.

    Raises:
        UserError: the file cannot be written.
    """
    # One entry, as safetensors writes several in an order that changes from run to run.
    entry = {"about": json.dumps(about, sort_keys=True)} if about else None
    with whole(path) as beside:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, beside, metadata=entry)


def read_about(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself; its tensors are not read.

    Raises:
        UserError: the file is missing or truncated.
    """
    with _opened(path) as file:
        return _about(file)


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a safetensors file says of itself, and its tensors.

    Raises:
        UserError: the file is missing or truncated.
    """
    with _opened(path) as file:
        return _about(file), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _about(file: safe_open) -> dict[str, str]:
    try:
        about = json.loads((file.metadata() or {})["about"])
    except (KeyError, ValueError):  # not written here
        return {}
    return about if isinstance(about, dict) else {}


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; `dvc repro` makes it")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise UserError(f"{path}: is not a whole safetensors file ({error})") from None
