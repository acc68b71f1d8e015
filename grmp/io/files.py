"""Atomic writing of files: beside their place, flushed to the disk, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from grmp.errors import UserError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to `path` at the end. Makes folders.

    Raises:
        UserError: the disk is full, the folder is read-only, or the like; `path` is then as it was.
    """
    # With the process's number, so that two processes at the same target do not write into one another's file.
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, SafetensorError) as error:  # the latter is how safetensors reports a full disk
        raise UserError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically.

    Raises:
        UserError: as `whole`.
    """
    with whole(path) as beside:
        beside.write_bytes(text.encode())
