"""The study's own scoring checkpoint: what distortions of photographs teach, without a rated image (ours)."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
import typer

from grmp.io import paths
from grmp.io.identity import describe
from grmp.io.paths import Folders
from grmp.runtime import start
from grmp.scoring.card import Card, Labels, computed_on
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import save
from grmp.scoring.validation import agreement
from study import params
from study.command import run_command
from study.data import manifests, sets
from study.stages.unlabelled import BLOCKS, IMAGES, PENALTY, SIGHT, embed_images, teach, untouched_tower

DATA = "generated single distortions, labels from a metric calibrated on KADID-10k's human scores"
MEASURED = 100
"""Images of the target's test part that the card's numbers are of, at most."""
HOW = "of the generated target's test part: mixtures of distortions, whose photographs were not seen"


def main(
    out: Annotated[Path, typer.Argument(help="safetensors file to write")] = paths.STUDY,
    clip: Path = Folders.clip,
    taught_by: Annotated[Path, typer.Option(help="the set that teaches")] = sets.GENERATED,
    target: Path = Folders.target,
    params_path: Path = Path("params.yaml"),
) -> None:
    """Learn from the generated pre-training images, measure on the target, and write what `grmp score` uses."""
    settings = params.load(params_path)
    runtime = start(settings.compute)
    tower = untouched_tower(clip, SIGHT.crop, settings)
    probe = teach(tower, taught_by, SIGHT, runtime)
    manifest = manifests.read_manifest(target)
    test = manifests.sample(manifest[manifest["part"] == "test"], MEASURED)
    seen = embed_images(tower, target, test, SIGHT, runtime, "images to measure it on")
    judged = probe(torch.zeros(len(seen)), seen)
    card = Card(
        version=version("grmp"),
        backbone=describe(clip),
        labels=Labels(
            data=DATA, images=min(IMAGES, len(manifests.read_manifest(taught_by))), low=0, high=1, range_given=True
        ),
        held_out=agreement(judged.numpy(), sets.scores(test).numpy(), HOW),
        computed=computed_on(runtime),
        parameters={"image": SIGHT.model_dump(mode="json"), "unlabelled": {"blocks": BLOCKS, "penalty": PENALTY}},
    )
    save(out, Scorer(tower, SIGHT, probe), clip, settings.prompts.model_copy(update={"image_tokens": 0}), card)
    typer.echo(card.text())


if __name__ == "__main__":
    run_command(main)
