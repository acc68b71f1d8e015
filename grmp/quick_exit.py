"""The end of a process that has imported much: its interpreter would take two seconds to take itself apart."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_exit() -> Iterator[None]:
    """What runs inside is the last thing that this process does, whose memory then goes back in one piece.

    Exit status, tracebacks and the exit handlers that are registered inside are as they would be without. Ctrl-C ends
    it slowly, as the interpreter has a status of its own for that.
    """
    status: int | None = 0

    def leave() -> None:
        if status is None:
            return
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by who started it
                stream.flush()
        os._exit(status)

    atexit.register(leave)  # handlers run in the opposite order, so this one ends them
    try:
        yield
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        raise
    except KeyboardInterrupt:
        status = None
        raise
    except BaseException:
        status = 1
        raise
