"""Feeds inputs to a surface: each with a limit of time, all with a limit of memory, every outcome counted."""

import faulthandler
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

import grmp
from grmp.errors import UserError

SECONDS = 10.0
"""For one input, which takes milliseconds; more is a hang."""
STUCK = 60.0
"""Seconds after which a process is ended that does not even answer a signal, deep in compiled code."""
MEMORY = 3 << 30
"""Bytes that a surface's process may have beyond what it starts with."""
LONGEST_MESSAGE = 1500
LIBRARY = str(Path(grmp.__file__).parent)


class Surface(Protocol):
    """Something that reads what others wrote."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder` what inputs need beside them."""

    def inputs(self) -> SearchStrategy[bytes]:
        """What is fed."""

    def feed(self, content: bytes) -> None:
        """Read one input.

        Raises:
            UserError: it was refused.
            AssertionError: it was accepted, and should not have been.
        """


class Hang(BaseException):
    """An input took longer than `SECONDS`; no `except Exception` catches it."""


@dataclass
class Tally:
    """What became of a surface's inputs; `failures` counts them by what went wrong and where."""

    accepted: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        """All of them."""
        return self.accepted + self.refused + self.failures.total()


def limit_memory(extra: int = MEMORY) -> None:
    """Let this process have `extra` bytes more than it has now."""
    status = Path("/proc/self/status").read_text()
    now = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + extra, now + extra))


def watch(surface: Surface, inputs: int, number: int, kept: Path) -> Tally:
    """Feed `inputs` inputs, drawn from the seed `number`; the first of every kind of failure stays in `kept`."""
    tally, current = Tally(), kept / "current"

    @seed(number)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(surface.inputs())
    def feed(content: bytes) -> None:
        current.write_bytes(content)  # for a process that does not live to tell
        failure, detail = _outcome(surface, content, tally)
        if failure:
            tally.failures[failure] += 1
            if tally.failures[failure] == 1:
                (kept / f"failure-{len(tally.failures)}").write_bytes(content)
                (kept / f"failure-{len(tally.failures)}.txt").write_text(f"{failure}\n{detail}", errors="replace")

    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feed()
    tally.seconds = time.monotonic() - started
    return tally


def _outcome(surface: Surface, content: bytes, tally: Tally) -> tuple[str, str]:
    """What went wrong, and the whole story; empty if nothing did."""
    try:
        with _time_limit():
            surface.feed(content)
    except UserError as error:
        message = str(error)
        if not message.isprintable() or len(message) > LONGEST_MESSAGE:
            return "a message of more than one plain line", repr(message)[:5000]
        tally.refused += 1
    except (Exception, Hang) as error:
        return f"{type(error).__name__} in {_place(error)}", traceback.format_exc()
    else:
        tally.accepted += 1
    return "", ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    frames = frames[:-1] if isinstance(error, Hang) else frames  # the last is the clock's
    own = [frame for frame in frames if frame.filename.startswith(LIBRARY)] or frames
    return f"{Path(own[-1].filename).name}: {own[-1].name}"


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang(f"more than {SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(STUCK, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
