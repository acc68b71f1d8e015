"""`python -m study.check`: whether params.yaml is one, before `dvc repro` finds out."""

from pathlib import Path
from typing import Annotated

import typer

from study import params
from study.command import run_command
from study.variants import find_variant


def main(path: Annotated[Path, typer.Argument()] = Path("params.yaml")) -> None:
    """Check params.yaml and say how many cells its grid has."""
    settings = params.load(path)
    named = [*settings.grid.variants, *(settings.replication.variants if settings.replication else ())]
    named += [settings.changed(change)[1] for change in settings.choices.values()]
    for variant in named:
        find_variant(variant)
    cells = len(settings.grid.variants) * len(settings.grid.labels) + len(settings.sweep.strengths)
    typer.echo(f"{path}: ok, {cells} cells x {settings.grid.repeats} repeats")


if __name__ == "__main__":
    run_command(main)
