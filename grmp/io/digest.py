"""Digests of contents: settings, tensors, plain values, and dicts and lists of them."""

import hashlib
from collections.abc import Iterator

import torch
from pydantic import BaseModel
from torch import Tensor


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
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
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
        raise TypeError(f"no digest of a {type(value).__name__}")
