"""The study's own scoring checkpoint: the full recipe on all labels of the generated target's pool."""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float

from grmp.features import Features
from grmp.finetune import predict
from grmp.io import paths
from grmp.io.paths import Folders
from grmp.model import first_trained_block
from grmp.progress import MARK
from grmp.runtime import Runtime
from grmp.scoring.card import Labels
from grmp.scoring.fit import adapt, write
from grmp.scoring.scorer import Scorer
from grmp.scoring.validation import agreement
from study import params
from study.command import run_command
from study.params import Params
from study.stages.inputs import read_inputs

DATA = "generated target: mixtures of distortions, labels from a metric calibrated on KADID-10k's human scores"


def judge(scorer: Scorer, features: Features, settings: Params, runtime: Runtime) -> Float[np.ndarray, " n"]:
    """The scorer's quality of images whose features are at hand."""
    block = first_trained_block(scorer.model, settings.finetune.blocks)
    quality = predict(scorer.model, features, block, runtime)
    if scorer.probe is None:
        return quality.numpy()
    return scorer.probe.cpu()(quality, features.probed()).numpy()


def main(
    out: Annotated[Path, typer.Argument(help="safetensors file to write")] = paths.STUDY,
    clip: Path = Folders.clip,
    prompts: Path = Folders.prompts,
    features: Path = Folders.features,
    target: Path = Folders.target,
    prior: Path = Folders.prior,
    params_path: Path = Path("params.yaml"),
) -> None:
    """Fit the labelled pool, measure on the test part, and write the checkpoint that `grmp score` uses."""
    settings = params.load(params_path)
    typer.echo(f"{MARK}release: reading weights and features")
    folders = Folders(clip, prompts, features, target, prior)
    inputs = read_inputs(folders, settings.compute, settings.prompts, settings.image, settings.finetune, repeats=1)
    pool, test = inputs.folds[0].train, inputs.folds[0].test
    seen = dataclasses.replace(inputs.meta, embeddings=inputs.plain.embeddings).at(pool)
    scorer = adapt(inputs.pretrained, inputs.prior, seen, inputs.scores[pool], settings, inputs.runtime)
    predicted, true = judge(scorer, inputs.meta.at(test), settings, inputs.runtime), inputs.scores[test].numpy()
    held_out = agreement(predicted, true, "of the target's test part, whose photographs were not seen")
    labels = Labels(data=DATA, images=len(pool), low=0, high=1, range_given=True)
    typer.echo(write(out, scorer, labels, held_out, settings, inputs.runtime, clip).text())


if __name__ == "__main__":
    run_command(main)
