"""What pre-training's images teach a probe before it sees a label: the prior covariance of its weights.

Ridge regression is Bayesian linear regression whose weights are, a priori, independent and alike. Here distorted images
say which weights to expect: meta-learning in closed form (by gradient descent: ALPaCA; Harrison et al., WAFR 2018).
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
from torch import Tensor

from grmp import backbone, params, ridge
from grmp.checkpoint import load_prompts
from grmp.crops import even_crops, to_float
from grmp.errors import UserError, run_command
from grmp.journal import Journal
from grmp.model import PromptedCLIP
from grmp.params import Params
from grmp.progress import MARK, Progress
from grmp.runtime import Runtime, start
from grmp.tasks import read_tasks
from grmp.tensors import read_checkpoint, write_tensors

BATCH = 32  # crops at a time; without effect on the result beyond rounding


@dataclass(frozen=True)
class Prior:
    """Two ways in which weights may differ from independent ones.

    Either is scaled so that predictions by weights drawn from it vary by 1 over the images that it was learned from.

    Args:
        moved: covariance of embeddings around the mean of their photograph: what distortions move while the content
            stays.
        direction: weights of the ridge regression on the images' scores.
        spread: variance of the embeddings, summed over channels; scales independent weights likewise.
    """

    moved: Float[Tensor, "e e"]
    direction: Float[Tensor, " e"]
    spread: Float[Tensor, ""]

    def covariance(self, strength: float) -> Float[np.ndarray, "e e"]:
        """`I + strength * (moved + direction direction^T)`, each scaled as above."""
        learned = self.moved + torch.outer(self.direction, self.direction)
        return (torch.eye(len(self.moved), dtype=torch.float64) / self.spread + strength * learned).numpy()

    def root(self, strength: float) -> Float[np.ndarray, "e e"]:
        """The covariance's symmetric root: ridge regression on `f @ root` is that on `f` with this prior."""
        values, vectors = np.linalg.eigh(self.covariance(strength))
        return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def learn(embeddings: Float[Tensor, "n e"], scores: Float[Tensor, " n"], photographs: Sequence[str]) -> Prior:
    """The prior from distorted images' embeddings, their scores in [0, 1], and the photograph of each."""
    given = pd.DataFrame(embeddings.double().numpy())
    centred = (given - given.mean()).to_numpy()
    around = (given - given.groupby(list(photographs)).transform("mean")).to_numpy()
    total, moved = (part.T @ part / len(part) for part in (centred, around))
    direction, _ = ridge.coefficients(given.to_numpy(), scores.double().numpy())
    scaled = moved / np.sum(total * moved), direction / np.sqrt(direction @ total @ direction), np.trace(total)
    return Prior(*(torch.as_tensor(part) for part in scaled))


@torch.no_grad()
def embed(model: PromptedCLIP, crops: UInt8[Tensor, "n 3 s s"], block: int, runtime: Runtime) -> Float[Tensor, "n e"]:
    """Embeddings of crops as the probe reads them: behind `block`, counted from 1 (the last where there are fewer)."""
    stop, title = min(block, len(model.clip.visual.transformer.resblocks)), "pre-training images, for the probe"
    journal = Journal(title, model.state_dict(), crops, stop, str(runtime.device), runtime.precision)
    progress, parts = Progress(title, -(-len(crops) // BATCH), "crops"), []

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        with runtime.autocast():
            return {"middle": model.read_early(model.begin(to_float(part.to(runtime.device)), stop)).float().cpu()}

    for step, part in enumerate(crops.split(BATCH), 1):
        parts.append(journal.tensors(f"batch-{step}", lambda part=part: run(part))["middle"])
        progress.update(step, items=len(part))
    return torch.cat(parts)


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
    embeddings = embed(model, crops, settings.finetune.probe_block, runtime)
    save(out, learn(embeddings, tasks.scores, tasks.manifest["photograph"].tolist()))


def save(path: Path, prior: Prior) -> None:
    """Keep a prior."""
    write_tensors(path, vars(prior))


def load(path: Path) -> Prior:
    """Read what `save` kept.

    Raises:
        UserError: the file is missing or truncated, or holds something else.
    """
    _, kept = read_checkpoint(path)
    if {name: value.ndim for name, value in kept.items()} != {"moved": 2, "direction": 1, "spread": 0}:
        raise UserError(f"{path}: holds no prior; `dvc repro prior` makes it")
    return Prior(**kept)


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
