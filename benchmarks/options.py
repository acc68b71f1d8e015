"""What the commands of the benchmarks have in common."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

Precision = Annotated[
    Literal["auto", "fp32", "bf16"], typer.Option(help="auto: what the study would choose on this machine")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: a GPU where there is one")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads")]
Pairs = Annotated[int, typer.Option(min=1, help="measurements of both sides, in turn, after a first one to warm up")]


def command() -> str:
    """The command line as one would type it, which names the row that it makes."""
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
