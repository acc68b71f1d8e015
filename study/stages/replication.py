"""The same cells after another draw of the pre-training: does what an idea adds hold over the chance in it?

First prompts, tasks and batches of a pre-training are drawn; `pretrain.draw` names the draw. Splits and labels are the
grid's, so that differences of two variants are paired within a pre-training and a split.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.paths import Folders
from study import params
from study.command import run_command
from study.params import Params
from study.running.engine import export_to_env
from study.running.kept import REPEATS
from study.stages.cells import run_cell
from study.stages.changed import assemble, run_stages
from study.variants import VARIANTS

READING = VARIANTS["full_probe"]
"""The variant that reads all that a pre-training makes: prompts and prior."""


def replicate(base: Params, draw: int, folder: Path, own: Folders) -> pd.DataFrame:
    """All repeats of the cells that the section `replication` names, after the pre-training of number `draw`.

    Args:
        base: the study's own settings.
        draw: as `pretrain.draw`; the study's own is not run again.
        folder: gets the prompts and the prior of another one.
        own: where the study's own stages left their results.

    Returns:
        Columns draw, and those of a cell's results.

    Raises:
        UserError: no section `replication`, or as `run_cell`.
    """
    if base.replication is None:
        raise UserError("params.yaml: has no section replication, which names draws, variants and labels")
    settings, _ = base.changed({"pretrain.draw": draw})
    inputs = assemble(base, settings, READING, own, run_stages(base, settings, READING, folder, own))
    cells = [
        run_cell(inputs, variant, labels, settings.qgr, REPEATS, f"pre-training {draw}, {variant} @ {labels}").results
        for labels in base.replication.labels
        for variant in base.replication.variants
    ]
    return pd.concat(cells, ignore_index=True).assign(draw=draw)


def main(
    draw: Annotated[int, typer.Argument(help="number of the pre-training, as pretrain.draw")],
    out: Annotated[Path, typer.Argument(help="folder that gets results.csv")],
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Pre-train by another draw, and run the cells of the section `replication` behind it."""
    settings = params.load(params_path)
    export_to_env(settings.compute)
    results = replicate(settings, draw, out, Folders(target=target))
    write_whole(out / "results.csv", results.to_csv(index=False))
    typer.echo(results.groupby(["labels", "variant"])["srcc"].median().round(3).to_string())


if __name__ == "__main__":
    run_command(main)
