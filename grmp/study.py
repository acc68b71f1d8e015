"""`make study`: the whole pipeline, in such a way that it can be interrupted anywhere and goes on from there.

DVC keeps finished stages, journals keep the finished pieces of the stage under way, and every file is written whole.
Nothing has to be tidied up at the end, so Ctrl-C ends every process at once.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from grmp.errors import run_command
from grmp.orphans import end_descendants, end_with_parent
from grmp.paths import UNFINISHED, UNFINISHED_VARIABLE


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def reproduce(stages: list[str], force: bool = False) -> int:
    """`dvc repro` with journals for unfinished stages; returns its exit status.

    DVC and its stages do not hear Ctrl-C: whoever calls this answers it for all of them.
    """
    command = [sys.executable, "-m", "grmp.repro", *(["--force"] if force else []), *stages]
    environment = {**os.environ, UNFINISHED_VARIABLE: str(UNFINISHED)}
    return subprocess.call(command, env=environment, preexec_fn=_ignore_interrupts)


def _end(again: str) -> Callable[..., None]:
    def end(*_: object) -> None:
        end_descendants()
        print(f"\ninterrupted; `{again}` goes on where it stopped", file=sys.stderr, flush=True)
        os._exit(130)

    return end


def main(
    stages: Annotated[list[str] | None, typer.Argument(help="stages, with all that they need; none: all")] = None,
    force: Annotated[bool, typer.Option(help="run them even where nothing changed")] = False,
    again: Annotated[str, typer.Option(help="the command that the user gave")] = "make study",
) -> None:
    """Run the pipeline of the current folder: what changed, and what was interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end(again))
    if "MAKELEVEL" in os.environ:  # started by make, which may be killed alone
        end_with_parent()
    raise typer.Exit(reproduce(stages or [], force))


if __name__ == "__main__":
    run_command(main)
