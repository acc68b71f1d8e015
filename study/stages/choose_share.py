"""The probe's share in `full_probe`, compared on a rated set that no report shows: makes reports/share.csv.

Shares of one fine-tuned model cost nothing: repeats are fine-tuned once and kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from grmp.crops import cut_views
from grmp.io import backbone, prior_file
from grmp.io.files import write_whole
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import unprompted
from grmp.runtime import start
from study import params
from study.command import run_command
from study.data import sets
from study.data.splits import random_split
from study.params import Params
from study.running.kept import REPEATS
from study.stages.cells import run_cell
from study.stages.choose import TEST_SHARE, looked_at
from study.stages.features import compute_features
from study.stages.inputs import Inputs, gather

SHARES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LABELS = (10, 50, 200)


def deal(table: pd.DataFrame, folder: Path, repeats: int) -> pd.DataFrame:
    """The table with a column `part_N` per repeat; contents are whole in each."""
    parts = {
        f"part_{number}": random_split(table, folder, TEST_SHARE, seed=number - 1)["role"].to_numpy()
        for number in range(1, repeats + 1)
    }
    return table.sort_values("image", ignore_index=True).drop(columns="part").assign(**parts)


def read_rated(settings: Params, rated: Path, images: int) -> Inputs:
    """What fine-tuning starts from, on the images of `rated` that settings are chosen on.

    Raises:
        UserError: what `dvc repro pretrain` makes is not there, or an image cannot be read.
    """
    table = deal(looked_at(rated, images), rated, settings.grid.repeats)
    runtime, clip = start(settings.compute), backbone.load(Folders.clip, settings.image.crop)
    model = load_prompts(Folders.prompts, clip, settings.prompts)
    views, crop = settings.image.views, settings.image.crop
    crops = torch.stack([cut_views(image, views, crop) for image in sets.read_images(rated, table)])
    bare = unprompted(clip, settings.prompts)
    return gather(
        settings,
        table,
        plain=compute_features(bare, crops, settings, runtime, "plain features"),
        meta=compute_features(model, crops, settings, runtime, "meta features"),
        clip=clip,
        pretrained=model,
        runtime=runtime,
        prior=prior_file.load(Folders.prior, model, settings.finetune.probe_blocks),
    )


def compare(
    inputs: Inputs, settings: Params, labels: Sequence[int], shares: Sequence[float], kept: Path
) -> Iterator[dict[str, float]]:
    """Mean SRCC of `full_probe` for every number of labels and share, and its gain over the study's own share."""
    for count in labels:
        found = {}
        for share in dict.fromkeys((settings.finetune.probe_share, *shares)):
            finetune = inputs.finetune.model_copy(update={"probe_share": share})
            given = replace(inputs, finetune=finetune)
            found[share] = run_cell(given, "full_probe", count, settings.qgr, kept).results["srcc"].to_numpy()
        for share in shares:
            gain = found[share] - found[settings.finetune.probe_share]
            row = {"labels": count, "share": share, "images": len(inputs.scores), "draws": inputs.repeats}
            for key, values in (("srcc", found[share]), ("gain", gain)):
                row |= {key: values.mean(), f"{key}_error": values.std(ddof=1) / np.sqrt(len(values))}
            yield row


def main(
    rated: Annotated[Path, typer.Argument(help="folder of a rated set with scores.csv, scores in 0 to 1")],
    out: Annotated[Path, typer.Option(help="the table")] = Path("../reports/share.csv"),
    images: Annotated[int, typer.Option(help="rated images that are looked at")] = 800,
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Compare shares of the probe on a rated set and write the table; needs what `dvc repro pretrain` makes."""
    settings = params.load(params_path)
    inputs = read_rated(settings, rated, images)
    table = pd.DataFrame(compare(inputs, settings, LABELS, SHARES, REPEATS))
    write_whole(out, table.to_csv(index=False, float_format="%.4f"))
    typer.echo(table.pivot(index="share", columns="labels", values="srcc").round(3).to_string())


if __name__ == "__main__":
    run_command(main)
