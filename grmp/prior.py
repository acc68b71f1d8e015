"""What pre-training's images teach a probe before it sees a label: the prior covariance of its weights.

Ridge regression is Bayesian linear regression whose weights are, a priori, independent and alike. Here distorted images
say which weights to expect: meta-learning in closed form. ALPaCA (Harrison et al., WAFR 2018) learns such a prior by
gradient descent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from jaxtyping import Float, UInt8
from threadpoolctl import threadpool_limits
from torch import Tensor

from grmp import backbone, params, ridge
from grmp.checkpoint import load_prompts
from grmp.crops import even_crops, to_float
from grmp.errors import UserError, run_command
from grmp.features import in_batches
from grmp.journal import Journal, digest
from grmp.model import PromptedCLIP
from grmp.params import Params
from grmp.progress import MARK
from grmp.runtime import Runtime, start
from grmp.tasks import read_tasks
from grmp.tensors import read_checkpoint, write_tensors

LARGEST = 1e12  # far beyond what embeddings of length 1 can give: a file with more is broken, and would overflow


@dataclass(frozen=True)
class Prior:
    """Of distorted images' embeddings: what the covariance is made of.

    Each part is scaled so that predictions by weights drawn from it vary by 1 over these images. There is one of each
    for every block that the embeddings were read behind.

    Args:
        moved: covariance of embeddings around the mean of their photograph: what distortions move while the content
            stays.
        direction: weights of the ridge regression on the images' scores.
        spread: variance of the embeddings, summed over channels: independent weights are scaled by its inverse.
    """

    moved: Float[Tensor, "block e e"]
    direction: Float[Tensor, "block e"]
    spread: Float[Tensor, " block"]

    def covariance(self, strength: float) -> Float[np.ndarray, "block e e"]:
        """`I / spread + strength * (moved + direction direction^T)`, for every block."""
        learned = self.moved + self.direction[:, :, None] * self.direction[:, None]
        alike = torch.eye(self.moved.shape[-1], dtype=torch.float64) / self.spread[:, None, None]
        return (alike + strength * learned).numpy()

    def root(self, strength: float) -> Float[np.ndarray, "block e e"]:
        """The covariances' symmetric roots: a regression on `f @ root` is that on `f` with this prior."""
        values, vectors = np.linalg.eigh(self.covariance(strength))
        return (vectors * np.sqrt(values.clip(0))[:, None]) @ vectors.swapaxes(1, 2)


def learn(embeddings: Float[Tensor, "n block e"], scores: Float[Tensor, " n"], photographs: Sequence[str]) -> Prior:
    """The prior from distorted images' embeddings, their scores in [0, 1], and the photograph of each.

    Raises:
        UserError: there is nothing to learn from: no photograph has two different images, or all scores are equal.
    """
    with threadpool_limits(1):  # more threads add up in another order, which would show in the last digits
        blocks = [pd.DataFrame(block) for block in embeddings.double().transpose(0, 1).numpy()]
        parts = zip(*(_learn(block, scores.double().numpy(), list(photographs)) for block in blocks))
        return Prior(*(torch.as_tensor(np.stack(part)) for part in parts))


def _learn(
    given: pd.DataFrame, scores: Float[np.ndarray, " n"], photographs: list[str]
) -> tuple[Float[np.ndarray, "e e"], Float[np.ndarray, " e"], np.floating]:
    centred = (given - given.mean()).to_numpy()
    around = (given - given.groupby(photographs).transform("mean")).to_numpy()
    total, moved = (part.T @ part / len(part) for part in (centred, around))
    direction, _ = ridge.coefficients(given.to_numpy(), scores)
    both = np.sum(total * moved), direction @ total @ direction
    if not min(both) > 0:
        raise UserError(
            "pretrain.source: teaches a probe nothing, as no photograph has two different images, or all scores are "
            "equal; finetune.probe_prior: 0 goes without, but what is there is no set of distortions"
        )
    return moved / both[0], direction / np.sqrt(both[1]), np.trace(total)


@torch.no_grad()
def embed(
    model: PromptedCLIP, crops: UInt8[Tensor, "n 3 s s"], blocks: Sequence[int], runtime: Runtime
) -> Float[Tensor, "n block e"]:
    """Embeddings of crops as the probe reads them: behind `blocks`, counted from 1 (the last where there are fewer)."""
    stops, title = model.stops(blocks), "pre-training images, for the probe"
    journal = Journal(title, model.state_dict(), crops, stops, str(runtime.device), runtime.precision)

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        with runtime.autocast():
            tokens = model.walk(to_float(part.to(runtime.device)), stops)
            early = {stop: model.read_early(x).float().cpu() for stop, x in tokens}
        return {"middle": torch.stack([early[stop] for stop in stops], dim=1)}

    return in_batches(crops, run, journal, title)["middle"]


def make(out: Path, clip: Path, prompts: Path, settings: Params) -> None:
    """Learn the prior from a centre crop of every image of `pretrain.source`, seen with `prompts`, and keep it.

    Raises:
        UserError: a file or an image is missing or broken.
    """
    runtime = start(settings.compute)
    model = load_prompts(prompts, backbone.load(clip, settings.image.crop), settings.prompts)
    model.eval().requires_grad_(False).to(runtime.device)
    tasks = read_tasks(settings.pretrain, settings.distort.short_side, settings.compute.seed)
    crops = torch.stack([even_crops(image, settings.image.crop, 1)[0] for image in tasks.images])
    embeddings = embed(model, crops, settings.finetune.probe_blocks, runtime)
    prior = learn(embeddings, tasks.scores, tasks.manifest["photograph"].tolist())
    save(out, prior, model, settings.finetune.probe_blocks)


def save(path: Path, prior: Prior, model: PromptedCLIP, blocks: Sequence[int]) -> None:
    """Keep a prior of embeddings that `model` has behind `blocks`."""
    write_tensors(path, vars(prior), _made_for(model, blocks))


def load(path: Path, model: PromptedCLIP, blocks: Sequence[int]) -> Prior:
    """Read what `save` kept, for the same prompts and blocks.

    Raises:
        UserError: the file is missing or truncated, holds something else, or was made for others.
    """
    about, kept = read_checkpoint(path)
    width, count = model.clip.visual.output_dim, len(blocks)
    if about != _made_for(model, blocks):
        raise UserError(
            f"{path}: was made for other prompts or other finetune.probe_blocks; `dvc repro prior` makes it anew"
        )
    if {name: tuple(value.shape) for name, value in kept.items()} != {
        "moved": (count, width, width),
        "direction": (count, width),
        "spread": (count,),
    } or not all(value.dtype == torch.float64 for value in kept.values()):
        raise UserError(f"{path}: holds no prior of {width} channels; `dvc repro prior` makes it")
    if kept["spread"].min() < 1 / LARGEST or max(value.abs().max() for value in kept.values()) > LARGEST:
        raise UserError(f"{path}: holds numbers that no embeddings have; `dvc repro prior` makes it anew")
    return Prior(**kept)


def _made_for(model: PromptedCLIP, blocks: Sequence[int]) -> dict[str, str]:
    return {"blocks": " ".join(map(str, blocks)), "prompts": digest(model.prompt_parameters())}


def main(
    out: Annotated[Path, typer.Argument(help="safetensors file to write")],
    clip_path: Path = Path("artifacts/weights/clip.safetensors"),
    prompts_path: Path = Path("artifacts/prompts/prompts.safetensors"),
    params_path: Path = Path("params.yaml"),
) -> None:
    """Learn what pre-training's images teach a probe before it sees a label."""
    typer.echo(f"{MARK}prior: reading weights and images")
    make(out, clip_path, prompts_path, params.load(params_path))


if __name__ == "__main__":
    run_command(main)
