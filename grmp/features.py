"""Frozen work done once: what the frozen image blocks make of every target image, kept for all cells of the grid.

In fine-tuning, the image blocks below the first trained one see frozen weights and frozen prompts, so their output per
crop never changes. It is computed for a finite, seeded set of crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp import backbone, params, sets
from grmp.checkpoint import load_prompts
from grmp.crops import even_crops, random_crop, to_float
from grmp.errors import run_command
from grmp.model import PromptedCLIP, prompted
from grmp.progress import MARK, Progress
from grmp.runtime import Runtime, generator, start
from grmp.tensors import read_checkpoint, write_tensors

BATCH = 32  # crops at a time; without effect on the result beyond rounding


@dataclass(frozen=True)
class Features:
    """Of one part of the target: tokens in front of the first trained block, and image embeddings."""

    tokens: Float[Tensor, "n view t d"]
    embeddings: Float[Tensor, "n view e"]


def first_trained_block(model: PromptedCLIP, blocks: int) -> int:
    """Index of the first image block that fine-tuning trains."""
    return max(0, len(model.clip.visual.transformer.resblocks) - blocks)


def target_crops(
    images: Sequence[UInt8[Tensor, "3 h w"]], parts: Sequence[str], settings: params.Params
) -> dict[str, UInt8[Tensor, "n view 3 s s"]]:
    """Seeded random crops of the `train` images, evenly spread ones of the `test` images."""
    crop, tuned = settings.image.crop, settings.finetune
    views: dict[str, list[Tensor]] = {"train": [], "test": []}
    for index, (image, part) in enumerate(zip(images, parts)):
        if part == "test":
            views[part].append(even_crops(image, crop, tuned.test_views))
        else:
            views[part].append(training_crops(image, index, settings))
    return {part: torch.stack(crops) for part, crops in views.items()}


def training_crops(image: UInt8[Tensor, "3 h w"], index: int, settings: params.Params) -> UInt8[Tensor, "view 3 s s"]:
    """The random crops, fixed by seed and `index`, in which fine-tuning sees an image."""
    draw = generator(settings.compute.seed, 10, index)
    return torch.stack([random_crop(image, settings.image.crop, draw) for _ in range(settings.finetune.views)])


@torch.no_grad()
def frozen_features(
    model: PromptedCLIP,
    crops: UInt8[Tensor, "n view 3 s s"],
    start_block: int,
    runtime: Runtime,
    title: str,
    keep_tokens: bool = True,
) -> Features:
    """Run the frozen blocks over every crop, and the rest of the untrained tower for its embedding.

    Tokens are large: without `keep_tokens` an empty tensor stands in their place.
    """
    progress = Progress(title, -(-crops.shape[0] * crops.shape[1] // BATCH), "crops")
    tokens, embeddings = [], []
    for step, part in enumerate(crops.flatten(0, 1).split(BATCH), 1):
        with runtime.autocast():
            x = model.begin(to_float(part).to(runtime.device), stop=start_block)
            embeddings.append(model.finish(x, start=start_block).cpu())
        tokens.append((x if keep_tokens else x[:, :0]).to(runtime.dtype).cpu())
        progress.update(step, items=len(part))
    return Features(*(torch.cat(values).unflatten(0, crops.shape[:2]) for values in (tokens, embeddings)))


def save(path: Path, features: dict[str, Features]) -> None:
    """Keep the features of each part in one file."""
    named = {f"{part}.{key}": value for part, kept in features.items() for key, value in vars(kept).items()}
    write_tensors(path, named)


def load(path: Path) -> dict[str, Features]:
    """Read what `save` kept, by part.

    Raises:
        UserError: the file is missing or truncated.
    """
    _, kept = read_checkpoint(path)
    return {part: Features(kept[f"{part}.tokens"], kept[f"{part}.embeddings"]) for part in ("train", "test")}


def main(
    prompts: Annotated[
        Literal["plain", "meta"], typer.Argument(help="plain: no image prompts; meta: pre-trained ones")
    ],
    out: Annotated[Path, typer.Argument(help="safetensors file to write")],
    target: Path = Path("artifacts/distorted/target"),
    clip_path: Path = Path("artifacts/weights/clip.safetensors"),
    prompts_path: Path = Path("artifacts/prompts/prompts.safetensors"),
    params_path: Path = Path("params.yaml"),
) -> None:
    """Compute the frozen image blocks' output for every target image."""
    settings = params.load(params_path)
    typer.echo(f"{MARK}{prompts}: reading weights and images")
    runtime = start(settings.compute)
    clip = backbone.load(clip_path, settings.image.crop)
    none = settings.prompts.model_copy(update={"image_tokens": 0})
    model = load_prompts(prompts_path, clip, settings.prompts) if prompts == "meta" else prompted(clip, none)
    model.eval().requires_grad_(False).to(runtime.device)
    manifest = sets.read_manifest(target)
    crops = target_crops(sets.read_images(target, manifest), manifest["part"].tolist(), settings)
    block = first_trained_block(model, settings.finetune.blocks)
    save(out, {part: frozen_features(model, some, block, runtime, f"{prompts} {part}") for part, some in crops.items()})


if __name__ == "__main__":
    run_command(main)
