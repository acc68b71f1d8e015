"""Hostile and broken files by the thousand: `make fuzz`. Every input must be read, or refused in one line.

Each surface runs in a process of its own with a limit of memory, each input with a limit of time; an end of the process
is a failure as well. What failed first stays in artifacts/fuzz.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from trials.fuzzing.watch import Tally, limit_memory, watch

SURFACES = {
    "params.yaml, values": ("texts.ParamsFile", 500),
    "params.yaml, text": ("texts.YamlText", 1000),
    "settings, notebook parameters": ("texts.Setting", 2000),
    "label map": ("texts.LabelMapFile", 500),
    "manifest": ("tables.Manifest", 1000),
    "ratings of grmp fit": ("tables.Ratings", 1500),
    "photographs": ("tables.Photographs", 1000),
    "split": ("tables.Split", 1000),
    "own rated set": ("tables.OwnSet", 1000),
    "BID's grades": ("tables.Grades", 500),
    "LIVEC's matrices": ("tables.Matrices", 300),
    "images": ("files.Images", 4000),
    "features, prompts": ("files.Tensors", 1500),
    "scoring checkpoint": ("files.Scorers", 300),
    "card": ("files.Cards", 1000),
    "CLIP": ("files.Backbones", 300),
    "ONNX tower": ("files.Tower", 1500),
    "wheel": ("files.Wheel", 2000),
}
"""What is fed, by which class, and how many inputs in the full trial."""
KEPT = Path("artifacts/fuzz")


def feed(name: str, inputs: int, number: int, kept: Path) -> Tally:
    """Feed one surface in this process; failing inputs stay in `kept`."""
    module, _, surface = SURFACES[name][0].rpartition(".")
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = getattr(import_module(f"trials.fuzzing.{module}"), surface)(Path(os.path.realpath(folder)))
        return watch(made, inputs, number, kept)


def feed_apart(name: str, inputs: int, number: int, kept: Path) -> Tally:
    """The same in a process of its own, whose end is a failure."""
    command = [sys.executable, "-m", "trials.fuzz", "--only", name, "--inputs", str(inputs), "--seed", str(number)]
    done = subprocess.run([*command, "--kept", str(kept)], capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        return Tally(**found | {"failures": Counter(found["failures"])})
    except (ValueError, IndexError, TypeError):
        (kept / "process.txt").write_text(done.stdout[-5000:] + done.stderr[-20000:])
        return Tally(failures=Counter([f"the process ended with status {done.returncode}"]))


def main(
    share: Annotated[float, typer.Option(help="of the full trial's inputs")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="draws the same inputs again")] = None,
    only: Annotated[str | None, typer.Option(help="one surface, in this process; prints JSON")] = None,
    inputs: Annotated[int, typer.Option(help="with --only")] = 100,
    kept: Annotated[Path, typer.Option(help="where failing inputs stay")] = KEPT,
) -> None:
    """Feed every surface, and exit with status 1 where anything failed."""
    if only:
        limit_memory()
        typer.echo(json.dumps(vars(feed(only, inputs, seed or 0, kept))))
        return
    seed = secrets.randbelow(2**32) if seed is None else seed
    shutil.rmtree(kept, ignore_errors=True)
    typer.echo(f"seed {seed}\n{'surface':32}{'inputs':>8}{'accepted':>10}{'refused':>9}{'failures':>10}{'seconds':>9}")
    total, failed = 0, Counter()
    for name, (surface, count) in SURFACES.items():
        folder = kept / surface
        tally = feed_apart(name, max(1, round(share * count)), seed, folder)
        failures = tally.failures.total()
        row = f"{name:32}{tally.inputs:8}{tally.accepted:10}{tally.refused:9}{failures:10}{tally.seconds:9.1f}"
        typer.echo(row)
        total += tally.inputs
        failed.update({f"{name}: {what}": times for what, times in tally.failures.items()})
    for what, times in failed.most_common():
        typer.echo(f"{times:6} x {what}")
    typer.echo(f"{total} inputs, {failed.total()} failures" + (f"; see {kept}" if failed else ""))
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
