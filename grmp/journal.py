"""Finished pieces of a long computation, kept while the study is under way: an interrupted one goes on from them.

They lie outside of DVC's outputs, which DVC removes before a stage runs. A computation's pieces are found again only
where everything that they depend on is the same to the last bit; each is one safetensors file, written whole.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from pydantic import BaseModel
from torch import Tensor

from grmp.errors import UserError
from grmp.live import folder_name
from grmp.paths import UNFINISHED_VARIABLE
from grmp.progress import MARK
from grmp.tensors import read_checkpoint, write_tensors

LIBRARY = Path(__file__).parent


class Journal:
    """The kept pieces of one computation. Only `make study` keeps any: elsewhere all is made, and nothing is written.

    Args:
        title: what is under way; a journal of the same title that depends on other things is removed.
        depends: all that the pieces are made of: settings, tensors, plain values, and dicts and lists of them. The
            library's own code, torch's version and its number of threads are taken into account besides.
    """

    def __init__(self, title: str, *depends: object) -> None:
        self.folder = _open(title, depends) if os.environ.get(UNFINISHED_VARIABLE) else None

    def tensors(self, piece: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors of a piece as they were kept, or else as `make` makes them; then they are kept."""
        found = self.read(piece)
        if found:
            return found[1]
        made = make()
        self.write(piece, made)
        return made

    def tables(self, piece: str, make: Callable[[], dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
        """The tables of a piece, likewise; values and types of their columns come back as they were."""
        found = self.read(piece)
        if found:
            return {name: _table(text) for name, text in found[0].items()}
        made = make()
        self.write(piece, {}, {name: _text(table) for name, table in made.items()})
        return made

    def read(self, piece: str) -> tuple[dict[str, str], dict[str, Tensor]] | None:
        """What is said about a kept piece, and its tensors; None where there is none that is whole."""
        if self.folder:
            with suppress(UserError):
                return read_checkpoint(self.folder / f"{piece}.safetensors")
        return None

    def write(self, piece: str, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
        """Keep a piece in the place of an older one of its name.

        Raises:
            UserError: it cannot be written.
        """
        if self.folder:
            write_tensors(self.folder / f"{piece}.safetensors", tensors, about)


def _open(title: str, depends: tuple[object, ...]) -> Path:
    folder = Path(os.environ[UNFINISHED_VARIABLE]) / folder_name(title) / digest(library(), depends)
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    kept = len(list(folder.glob("*.safetensors")))
    if kept:
        print(f"{MARK}{title}: goes on where it was interrupted, with {kept} kept pieces", flush=True)
    return folder


def digest(*values: object) -> str:
    """32 hexadecimal digits that stand for the content of `values`.

    Raises:
        TypeError: a value whose content is not known.
    """
    content = hashlib.sha256()
    for part in _parts(values):
        content.update(part)
    return content.hexdigest()[:32]


def _parts(value: object) -> Iterator[bytes | memoryview]:
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)};".encode()
        yield memoryview(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, dict):
        yield from _parts(list(value.items()))
    elif isinstance(value, list | tuple):
        yield f"{len(value)} values;".encode()
        for entry in value:
            yield from _parts(entry)
    elif isinstance(value, BaseModel):
        yield from _parts(value.model_dump())
    elif value is None or isinstance(value, str | int | float):
        yield f"{value!r};".encode()
    else:
        raise TypeError(f"a journal cannot depend on a {type(value).__name__}")


@cache
def library() -> str:
    """A digest of what computes besides the data: every source file of grmp, torch, and its number of threads."""
    sources = [path.read_text(encoding="utf-8") for path in sorted(LIBRARY.rglob("*.py"))]
    return digest(sources, torch.__version__, torch.get_num_threads())


def _text(table: pd.DataFrame) -> str:
    # JSON writes a number with the fewest digits that read as the same one.
    columns = {name: [str(values.dtype), values.tolist()] for name, values in table.items()}
    return json.dumps(columns)


def _table(text: str) -> pd.DataFrame:
    columns = json.loads(text)
    return pd.DataFrame({name: pd.Series(values, dtype=dtype) for name, (dtype, values) in columns.items()})
