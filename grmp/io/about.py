"""What a safetensors file says of itself; read without torch, which takes seconds to import."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from grmp.errors import UserError, is_want_of_memory


def read_about(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself; its tensors are not read.

    Raises:
        UserError: the file is missing or truncated.
    """
    with opened(path, "np") as file:
        return about_of(file)


def about_of(file: safe_open) -> dict[str, str]:
    """What an open file says of itself; nothing where it was not written here."""
    try:
        found = json.loads((file.metadata() or {})["about"])
    except (KeyError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(text, str) for text in found.values()) else {}


@contextmanager
def opened(path: Path, framework: Literal["pt", "np"]) -> Iterator[safe_open]:
    """The open file, whose tensors come as those of `framework`.

    Raises:
        UserError: the file is missing or truncated.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; `dvc repro` makes it")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:  # the others: tensors of odd kinds
        if is_want_of_memory(type(error).__name__, str(error)):
            raise
        raise UserError(f"{path}: is not a whole safetensors file ({error})") from None
