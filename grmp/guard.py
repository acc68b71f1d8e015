"""`dvc repro`, one at a time in a checkout, and in plain words where the machine is full, read-only or too small.

DVC locks what each stage touches, so a second run would start, then stop somewhere and name a file that is `busy`. Here
it does not start. And of a full disk or a process that the system has killed, DVC's own message tells only the symptom.
"""

import errno
import fcntl
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dvc.cli import main as dvc

from grmp.errors import UserError

LOCK = "study.lock"
NEARLY_FULL = 16e6  # bytes; with less left, a failed write is no wonder
STRAY = ".[!.]*.tmp"  # what DVC names a copy under way


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock in `folder` for the time of a study. The system frees it with the process, however that ends.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock(path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}); the study writes below its own folder") from None
    with file:
        yield


def _lock(path: Path) -> IO[bytes]:
    file = path.open("ab+", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = path.read_text(encoding="utf-8").strip() or "?"
        raise UserError(
            f"a study is under way here already (process {holder}); it was not disturbed: wait until it has ended"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n".encode())
    return file


class _Heard(logging.Handler):
    """Keeps the last error that DVC has told, with what caused it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.chain: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.chain = []
        while error is not None and error not in self.chain:
            self.chain.append(error)
            error = error.__cause__ or error.__context__


def explain(chain: list[BaseException], free: float) -> str | None:
    """What the machine has to do with a failure, and the remedy; None where it is not the machine.

    Args:
        chain: the error and its causes.
        free: bytes left on the disk.
    """
    full = {error.errno for error in chain if isinstance(error, OSError)} & {errno.ENOSPC, errno.EDQUOT}
    if full or free < NEARLY_FULL:
        return f"the disk is full ({free / 1e6:.1f} MB left): make room, and the same command goes on where it stopped"
    if any(re.search(r"exited with (-9|137)$", str(error)) for error in chain):
        return (
            "the stage was killed from outside, most often by the system for want of memory: end other programs, or "
            "make the sizes in params.yaml smaller; the same command goes on where it stopped"
        )
    return None


def run(arguments: list[str], root: Path) -> int:
    """Run DVC in the checkout at `root`, say what the machine has to do with a failure, and return the exit status."""
    heard, logger = _Heard(), logging.getLogger("dvc")
    logger.addHandler(heard)
    try:
        status = dvc(arguments)
    finally:
        logger.removeHandler(heard)
    if status:
        words = explain(heard.chain, shutil.disk_usage(root).free)
        _remove_strays(root)
        if words:
            print(f"error: {words}", file=sys.stderr)
    return status


def _remove_strays(root: Path) -> None:
    """Delete the copies that DVC could not finish, which would keep a full disk full."""
    for path in root.glob(f"**/artifacts/**/{STRAY}"):
        path.unlink()
