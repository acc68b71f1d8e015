"""`make bench`: every row of every table, each in a process of its own, then README.md's tables."""

import shlex
import subprocess
import sys
import time
from typing import Annotated

import torch
import typer

from benchmarks import table
from study.command import run_command

EVERYWHERE = (
    "benchmarks.finetune --blocks 4",
    "benchmarks.finetune --blocks 4 --precision auto",
    "benchmarks.finetune --blocks 3",
    "benchmarks.finetune --blocks 2",
    "benchmarks.finetune --blocks 1",
    "benchmarks.finetune --blocks 1 --precision auto",
    "benchmarks.finetune --blocks 1 --batch 50",
    "benchmarks.finetune --blocks 1 --batch 50 --precision auto",
    "benchmarks.finetune --blocks 4 --precision bf16 --plain-precision bf16",
    "benchmarks.finetune --blocks 4 --batch 50 --precision auto --pairs 1",
    "benchmarks.evaluate --blocks 4",
    "benchmarks.evaluate --blocks 1",
    "benchmarks.pretrain",
    "benchmarks.pretrain --precision bf16 --plain-precision bf16",
    "benchmarks.generate",
    "benchmarks.equality",
    "benchmarks.cost",
    "benchmarks.tried",
)
GPU_ALONE = (
    "benchmarks.finetune --blocks 4 --batch 50 --precision bf16 --plain-precision bf16 --pairs 10",
    "benchmarks.finetune --blocks 1 --batch 50 --precision bf16 --plain-precision bf16 --pairs 10",
    "benchmarks.finetune --blocks 4 --batch 50 --pairs 10",
    "benchmarks.evaluate --images 1000 --precision bf16 --plain-precision bf16",
    "benchmarks.pretrain --tasks 4 --support 75 --query 50 --precision bf16 --plain-precision bf16",
)
"""The published sizes, which a CPU would need hours for."""

PATIENCE = 1200  # seconds for one row


def plan() -> tuple[str, ...]:
    """The commands for this machine, in the order of their rows."""
    return EVERYWHERE + (GPU_ALONE if torch.cuda.is_available() else ())


def _run(command: str) -> bool:
    try:
        started = [sys.executable, "-m", *shlex.split(command)]
        return not subprocess.run(started, stdout=subprocess.DEVNULL, timeout=PATIENCE).returncode
    except subprocess.TimeoutExpired:
        return False


def main(only: Annotated[str, typer.Option(help="commands that contain this text alone")] = "") -> None:
    """Measure all rows, or some, and write README.md's tables; a row that fails is named, and the others go on."""
    failed, chosen = [], [command for command in plan() if only in command]
    if not only:
        table.forget({f"python -m {command}" for command in EVERYWHERE + GPU_ALONE})
    for number, command in enumerate(chosen, 1):
        print(f"{number}/{len(chosen)}  python -m {command}", flush=True)
        started = time.monotonic()
        good = _run(command)
        print(f"        {time.monotonic() - started:.0f} s" + ("" if good else ", failed"), flush=True)
        failed += [] if good else [command]
    table.refresh()
    if failed:
        sys.exit(f"error: {len(failed)} of {len(chosen)} rows failed: " + "; ".join(failed))


if __name__ == "__main__":
    run_command(main)
