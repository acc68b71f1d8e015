"""Frozen work done once: what the frozen image blocks make of every target image, kept for all cells of the grid.

In fine-tuning, the image blocks below the first trained one see frozen weights and frozen prompts, so their output per
crop never changes. It is computed for a finite set of crops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from grmp import backbone, params, sets
from grmp.checkpoint import load_prompts
from grmp.crops import even_crops, to_float
from grmp.errors import UserError, run_command
from grmp.journal import Journal
from grmp.model import PromptedCLIP, unprompted
from grmp.params import Params
from grmp.progress import MARK, Progress
from grmp.resize import squash
from grmp.runtime import Runtime, start
from grmp.tensors import read_checkpoint, write_tensors

BATCH = 32  # crops at a time; without effect on the result beyond rounding


@dataclass(frozen=True)
class Features:
    """Of each crop of each image: tokens in front of the first trained block, and the image embedding.

    `middle` are the embeddings read in the middle of the tower, where the probe does; None where nobody asked for them.
    """

    tokens: Float[Tensor, "n view t d"]
    embeddings: Float[Tensor, "n view e"]
    middle: Float[Tensor, "n view block e"] | None = None

    def at(self, places: Int[Tensor, " m"]) -> "Features":
        """Those of the images at `places`."""
        return Features(**{name: value[places] for name, value in self.tensors().items()})

    def probed(self) -> Float[Tensor, "n view block e"]:
        """`middle`, which has to be there.

        Raises:
            UserError: it is not.
        """
        if self.middle is None:
            raise UserError("the features hold nothing for a probe (finetune.probe_blocks); `dvc repro features` does")
        return self.middle

    def tensors(self) -> dict[str, Tensor]:
        """All that there is, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def first_trained_block(model: PromptedCLIP, blocks: int) -> int:
    """Index of the first image block that fine-tuning trains."""
    return max(0, len(model.clip.visual.transformer.resblocks) - blocks)


def first_trained_text_block(model: PromptedCLIP, blocks: int) -> int:
    """Index of the first text block that fine-tuning trains."""
    return max(0, len(model.clip.transformer.resblocks) - blocks)


def in_batches(
    crops: UInt8[Tensor, "n 3 s s"], run: Callable[[Tensor], dict[str, Tensor]], journal: Journal, title: str
) -> dict[str, Tensor]:
    """What `run` makes of all crops, from batches; those that an interrupted run had finished are not made again."""
    progress, parts = Progress(title, -(-len(crops) // BATCH), "crops"), []
    for step, part in enumerate(crops.split(BATCH), 1):
        parts.append(journal.tensors(f"batch-{step}", partial(run, part)))
        progress.update(step, items=len(part))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def frozen_features(
    model: PromptedCLIP,
    crops: UInt8[Tensor, "n view 3 s s"],
    start_block: int,
    runtime: Runtime,
    title: str,
    keep_tokens: bool = True,
    probe_blocks: Sequence[int] = (),
) -> Features:
    """Run the frozen blocks over every crop, and the rest of the untrained tower for its embedding.

    Tokens are large: without `keep_tokens` an empty tensor stands in their place. The embedding is also read behind
    each of `probe_blocks`, counted from 1 (behind the last one where there are fewer). Batches that an interrupted run
    had finished are not computed again.
    """
    probed = model.stops(probe_blocks)
    how = (start_block, probed, str(runtime.device), runtime.precision, keep_tokens)
    journal = Journal(title, model.state_dict(), crops, how)

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        early, found = {}, {}
        with runtime.autocast():
            for stop, x in model.walk(to_float(part.to(runtime.device)), {start_block, *probed}):
                if stop in probed:
                    early[stop] = model.read_early(x).cpu()
                if stop == start_block:
                    found["embeddings"] = model.finish(x, start=start_block).cpu()
                    found["tokens"] = (x if keep_tokens else x[:, :0]).to(runtime.dtype).cpu()
        return found | ({"middle": torch.stack([early[stop] for stop in probed], dim=1)} if probed else {})

    whole = in_batches(crops.flatten(0, 1), run, journal, title)
    return Features(**{name: value.unflatten(0, crops.shape[:2]) for name, value in whole.items()})


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
    if found | {"middle": 4} != {"tokens": 4, "embeddings": 3, "middle": 4}:
        raise UserError(f"{path}: holds no features; `dvc repro features` makes them")
    return Features(**kept)


def target_features(
    model: PromptedCLIP, settings: Params, target: Path, images: Path, runtime: Runtime, title: str
) -> Features:
    """The features of all images that `target`/manifest.csv names below `images`, cut as the settings say.

    Raises:
        UserError: the manifest or an image is missing or broken.
    """
    size = settings.image.crop
    pictures = sets.read_images(images, sets.read_manifest(target), settings.distort.short_side)
    if settings.target and settings.target.fit == "squash":
        pictures = [squash(picture, size) for picture in pictures]
    crops = torch.stack([even_crops(picture, size, settings.finetune.views) for picture in pictures])
    start_block, probe = first_trained_block(model, settings.finetune.blocks), settings.finetune.probe_blocks
    return frozen_features(model, crops, start_block, runtime, title, probe_blocks=probe)


def main(
    prompts: Annotated[
        Literal["plain", "meta"], typer.Argument(help="plain: no image prompts; meta: pre-trained ones")
    ],
    out: Annotated[Path, typer.Argument(help="safetensors file to write")],
    target: Annotated[Path, typer.Option(help="folder with manifest.csv")] = Path("artifacts/distorted/target"),
    images: Annotated[Path | None, typer.Option(help="folder of the images that it names, if another")] = None,
    clip_path: Path = Path("artifacts/weights/clip.safetensors"),
    prompts_path: Path = Path("artifacts/prompts/prompts.safetensors"),
    params_path: Path = Path("params.yaml"),
) -> None:
    """Compute the frozen image blocks' output for every target image."""
    settings = params.load(params_path)
    typer.echo(f"{MARK}{prompts}: reading weights and images")
    runtime = start(settings.compute)
    clip = backbone.load(clip_path, settings.image.crop)
    model = (
        load_prompts(prompts_path, clip, settings.prompts) if prompts == "meta" else unprompted(clip, settings.prompts)
    )
    model.eval().requires_grad_(False).to(runtime.device)
    save(out, target_features(model, settings, target, images or target, runtime, f"{prompts} features"))


if __name__ == "__main__":
    run_command(main)
