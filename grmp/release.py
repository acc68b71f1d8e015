"""The study's own scoring checkpoint: the full recipe on all labels of the generated target's pool."""

from pathlib import Path
from typing import Annotated

import typer

from grmp import params, paths
from grmp.card import Labels
from grmp.cells import Folders, read_study
from grmp.errors import run_command
from grmp.features import Features, first_trained_block
from grmp.finetune import predict
from grmp.fit import adapt, agreement, write
from grmp.progress import MARK

DATA = "generated target: mixtures of distortions, labels from a metric calibrated on KADID-10k's human scores"


def main(
    out: Annotated[Path, typer.Argument(help="safetensors file to write")] = paths.STUDY,
    clip: Path = Folders.clip,
    prompts: Path = Folders.prompts,
    features: Path = Folders.features,
    target: Path = Folders.target,
    params_path: Path = Path("params.yaml"),
) -> None:
    """Fit the labelled pool, measure on the test part, and write the checkpoint that `grmp score` uses."""
    settings = params.load(params_path)
    typer.echo(f"{MARK}release: reading weights and features")
    folders = Folders(clip, prompts, features, target)
    study = read_study(folders, settings.compute, settings.prompts, settings.image, settings.finetune, repeats=1)
    pool, test = study.folds[0].train, study.folds[0].test
    seen = Features(study.meta.tokens[pool], study.plain.embeddings[pool])
    model = adapt(study.pretrained, seen, study.scores[pool], settings, study.runtime)
    block = first_trained_block(model, settings.finetune.blocks)
    predicted = predict(model, study.meta.at(test), block, study.runtime).numpy()
    held_out = agreement(
        predicted, study.scores[test].numpy(), "of the target's test part, whose photographs were not seen"
    )
    labels = Labels(data=DATA, images=len(pool), low=0, high=1, range_given=True)
    typer.echo(write(out, model, labels, held_out, settings, study.runtime, clip).text())


if __name__ == "__main__":
    run_command(main)
