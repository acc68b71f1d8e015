"""How the study's commands run: what the user can mend ends in one line, and no command outlives DVC."""

import os
import threading
import time
from collections.abc import Callable
from functools import cache

import typer

from grmp.errors import in_one_line

PAUSE = 0.5  # seconds between two looks at the parent


def run_command(function: Callable[..., None]) -> None:
    """Run `function` as a command line; what the user can mend ends in one line and exit status 1, no traceback.

    It ends with the process that started it: where DVC is killed alone, the next `dvc repro` finds nobody at work.
    """
    end_with_parent()
    with in_one_line():
        typer.run(function)


@cache
def end_with_parent(parent: int | None = None) -> None:
    """See to it, once, that this process does not outlive the one that started it by more than `PAUSE`.

    Args:
        parent: id of that process, where it may have ended before this one came so far.
    """
    threading.Thread(target=_end_with, args=(parent or os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(1)  # kernels watch this process likewise
