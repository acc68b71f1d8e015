"""The prior covariance of the probe's weights, learned from the pre-training images.

Ridge regression is Bayesian linear regression whose weights are, a priori, independent and alike. Here distorted images
say which weights to expect: meta-learning in closed form. ALPaCA (Harrison et al., WAFR 2018) learns such a prior by
gradient descent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from sklearn.linear_model import RidgeCV
from torch import Tensor

from grmp.crops import average, to_float
from grmp.errors import UserError
from grmp.features import in_batches
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime

ALPHAS = np.logspace(-3, 3, 13)
"""Strengths of ridge regression's penalty, among which leave-one-out error decides: for embeddings of length 1, whose
variance sums to about 0.1 over the channels."""


@dataclass(frozen=True)
class Prior:
    """The parts of the prior covariance, from embeddings of distorted images.

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
    blocks = [pd.DataFrame(block) for block in embeddings.double().transpose(0, 1).numpy()]
    parts = zip(*(_learn(block, scores.double().numpy(), list(photographs)) for block in blocks))
    return Prior(*(torch.as_tensor(np.stack(part)) for part in parts))


def _learn(
    given: pd.DataFrame, scores: Float[np.ndarray, " n"], photographs: list[str]
) -> tuple[Float[np.ndarray, "e e"], Float[np.ndarray, " e"], np.floating]:
    centred = (given - given.mean()).to_numpy()
    around = (given - given.groupby(photographs).transform("mean")).to_numpy()
    total, moved = (part.T @ part / len(part) for part in (centred, around))
    direction = RidgeCV(ALPHAS).fit(given.to_numpy(), scores).coef_
    both = np.sum(total * moved), direction @ total @ direction
    if not min(both) > 0:
        raise UserError(
            "pretrain.source: teaches a probe nothing, as no photograph has two different images, or all scores are "
            "equal; finetune.probe_prior: 0 goes without, but what is there is no set of distortions"
        )
    return moved / both[0], direction / np.sqrt(both[1]), np.trace(total)


@torch.no_grad()
def embed(
    model: PromptedCLIP,
    crops: UInt8[Tensor, "n view 3 s s"],
    weights: Float[Tensor, " view"],
    blocks: Sequence[int],
    runtime: Runtime,
    title: str = "pre-training images, for the probe",
) -> Float[Tensor, "n block e"]:
    """Embeddings of images as the probe reads them: behind `blocks`, counted from 1 (the last where there are fewer).

    Each is the mean over the image's crops.
    """
    stops = model.stops(blocks)

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        with runtime.autocast():
            tokens = model.iterate_blocks(to_float(part.to(runtime.device)), stops)
            early = {stop: model.embed_at(x).float().cpu() for stop, x in tokens}
        return {"middle": torch.stack([early[stop] for stop in stops], dim=1)}

    each = in_batches(crops.flatten(0, 1), run, title)["middle"]
    return average(each.unflatten(0, crops.shape[:2]), weights)
