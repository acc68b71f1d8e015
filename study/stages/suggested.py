"""What labels of suggested images are worth beside those of random ones, and how often intervals hold their label.

The probe alone, which is in closed form, on a rated set's splits.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from grmp.design import choose
from grmp.io.files import write_whole
from grmp.io.paths import Folders
from grmp.metrics import DECIMALS, srcc
from grmp.probe_fit import fit_probe
from grmp.progress import Progress
from study import params
from study.command import run_command
from study.stages.inputs import Inputs, draw_labelled, read_inputs

COUNTS = (10, 25, 50, 100, 200)
"""Labels, as far as a pool has so many."""


def compare(inputs: Inputs, repeat: int) -> pd.DataFrame:
    """A row per number of labels and way to pick the images: SRCC on the test part, and the intervals' coverage there.

    Coverage is the share of test images whose label is in its interval (`Probe.margin`: nine of ten are meant to be).
    """
    fold, settings = inputs.folds[repeat - 1], inputs.finetune.model_copy(update={"probe_share": 1.0})
    pool, middle = fold.train, inputs.meta.probed()
    truth, most = inputs.scores[fold.test].numpy(), min(max(COUNTS), len(fold.train))
    roots = inputs.roots
    orders = {
        "random": draw_labelled(len(pool), most, inputs.seed, repeat),
        "suggested": choose(middle[pool].numpy(), roots, most),
    }
    rows = []
    for images, order in orders.items():
        for count in (count for count in COUNTS if count <= most):
            few = pool[order[:count]]
            probe = fit_probe(inputs.meta.at(few), inputs.scores[few], settings, roots)
            read = middle[fold.test]
            predicted = probe(inputs.scores.new_zeros(len(read)), read).numpy()
            inside = np.abs(predicted - truth) <= probe.margin(read).numpy()
            rows.append((images, count, repeat, srcc(predicted, truth), np.mean(inside)))
    return pd.DataFrame(rows, columns=["images", "labels", "repeat", "srcc", "coverage"])


def main(
    out: Annotated[Path, typer.Argument(help="the table to write")],
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Compare suggested with random images on a rated set's splits; needs what `dvc repro features` makes."""
    settings = params.load(params_path)
    repeats = settings.grid.repeats
    own = Folders(target=target)
    inputs = read_inputs(own, settings.compute, settings.prompts, settings.image, settings.finetune, repeats)
    progress, tables = Progress("suggested images", repeats, "splits"), []
    for repeat in range(1, repeats + 1):
        tables.append(compare(inputs, repeat))
        progress.update(repeat, items=1)
    write_whole(out, pd.concat(tables).round(DECIMALS).to_csv(index=False))


if __name__ == "__main__":
    run_command(main)
