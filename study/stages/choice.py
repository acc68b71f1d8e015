"""What one setting is worth: a variant (full unless named) once more with a few keys changed, all else being equal.

A choice is an entry of params.yaml's section `choices`. What comes before the first change is taken from the study.
"""

from pathlib import Path
from typing import Annotated

import typer

from grmp.errors import UserError
from grmp.io.paths import Folders
from study import params
from study.command import run_command
from study.params import Params
from study.running.engine import export_to_env
from study.running.kept import REPEATS
from study.stages.cells import Cell, run_cell, write_cell
from study.stages.changed import assemble, run_stages
from study.variants import find_variant


def run_choice(base: Params, name: str, folder: Path, own: Folders) -> Cell:
    """All repeats of the choice `name` at the sweep's number of labels.

    Args:
        base: the study's own settings.
        name: a key of its section `choices`.
        folder: gets what stages leave that run anew.
        own: where the study's own stages left their results.

    Raises:
        UserError: an unknown choice, or variant.
    """
    if name not in base.choices:
        raise UserError(f"params.yaml: choices: has no {name} (known: {', '.join(base.choices) or 'none'})")
    settings, variant = base.changed(base.choices[name])
    recipe = find_variant(variant)
    made = run_stages(base, settings, recipe, folder, own)
    inputs = assemble(base, settings, recipe, own, made)
    return run_cell(inputs, variant, settings.sweep.labels, settings.qgr, REPEATS, f"choice {name}")


def main(
    name: Annotated[str, typer.Argument(help="a key of params.yaml's section choices")],
    out: Annotated[Path, typer.Argument(help="folder that gets results.csv, steps.csv and predictions.csv")],
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Run the full variant with the keys that choice NAME changes, at the sweep's number of labels."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; choices are of studies of human-rated sets")
    export_to_env(settings.compute)
    cell = run_choice(settings, name, out, Folders(target=target))
    write_cell(out, cell)
    typer.echo(f"{name}: median SRCC {cell.results['srcc'].median():.3f}")


if __name__ == "__main__":
    run_command(main)
