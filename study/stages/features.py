"""Features of the target: what the frozen image blocks make of every image, without prompts and with trained ones."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from jaxtyping import UInt8
from torch import Tensor

from grmp.crops import cut_views, squash, view_weights
from grmp.errors import UserError
from grmp.features import Features, frozen_features
from grmp.io import backbone
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import PromptedCLIP, first_trained_block, unprompted
from grmp.progress import MARK
from grmp.runtime import Runtime, start
from study import params
from study.command import run_command
from study.data import manifests, sets
from study.params import Params


def save(path: Path, features: Features) -> None:
    """Keep the features of a set of images."""
    write_tensors(path, features.tensors())


def load(path: Path) -> Features:
    """Read what `save` kept.

    Raises:
        UserError: the file is missing or truncated, or holds something else.
    """
    _, kept = read_checkpoint(path)
    found = {name: value.ndim for name, value in kept.items()}
    if found | {"middle": 4} != {"tokens": 4, "embeddings": 3, "weights": 1, "middle": 4}:
        raise UserError(f"{path}: holds no features; `dvc repro features` makes them")
    return Features(**kept)


def read_crops(settings: Params, target: Path, images: Path) -> UInt8[Tensor, "n view 3 s s"]:
    """Crops of all images that `target`/manifest.csv names below `images`, cut as the settings say.

    Raises:
        UserError: the manifest or an image is missing or broken.
    """
    size, pictures = settings.image.crop, sets.read_images(images, manifests.read_manifest(target))
    if _squashed(settings):
        return torch.stack([squash(picture, size)[None] for picture in pictures])
    return torch.stack([cut_views(picture, settings.image.views, size) for picture in pictures])


def _squashed(settings: Params) -> bool:
    return settings.target is not None and settings.target.fit == "squash"


def compute_features(
    model: PromptedCLIP, crops: UInt8[Tensor, "n view 3 s s"], settings: Params, runtime: Runtime, title: str
) -> Features:
    """Features of the crops by `model`, which is frozen and moved to the device."""
    model.eval().requires_grad_(False).to(runtime.device)
    start_block, probe = first_trained_block(model, settings.finetune.blocks), settings.finetune.probe_blocks
    weights = None if _squashed(settings) else view_weights(settings.image.views)
    return frozen_features(model, crops, start_block, runtime, title, probe_blocks=probe, weights=weights)


def main(
    out: Annotated[Path, typer.Argument(help="folder that gets plain.safetensors and meta.safetensors")],
    target: Annotated[Path, typer.Option(help="folder with manifest.csv")] = Folders.target,
    clip_path: Path = Folders.clip,
    prompts_path: Path = Folders.prompts,
    params_path: Path = Path("params.yaml"),
) -> None:
    """Compute the frozen image blocks' output for every target image, without prompts and with the trained ones."""
    settings = params.load(params_path)
    typer.echo(f"{MARK}features: reading weights and images")
    runtime = start(settings.compute)
    clip = backbone.load(clip_path, settings.image.crop)
    crops = read_crops(settings, target, Path(settings.target.folder) if settings.target else target)
    models = {
        "plain": unprompted(clip, settings.prompts),
        "meta": load_prompts(prompts_path, clip, settings.prompts),
    }
    for name, model in models.items():
        save(out / f"{name}.safetensors", compute_features(model, crops, settings, runtime, f"{name} features"))


if __name__ == "__main__":
    run_command(main)
