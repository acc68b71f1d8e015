"""The probe inside of a model: a ridge regression on the middle of the tower, averaged into the quality."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from grmp import ridge
from grmp.features import Features
from grmp.params import Count, Finetune, Section
from grmp.prior import Prior


class ProbeSettings(Section):
    """Behind which block it reads, counted from 1, and what it counts in the mean."""

    block: Count
    share: Annotated[float, Field(gt=0, le=1, strict=True)]


class Probe(nn.Module):
    """`(1 - share) * quality + share * (w . f + b)`, the latter kept within 0 and 1 (variant `full_probe`).

    Args:
        settings: which `f` it takes, and its share.
        width: channels of `f`.
    """

    def __init__(self, settings: ProbeSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("weight", torch.zeros(width))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, quality: Float[Tensor, " b"], middle: Float[Tensor, "b e"]) -> Float[Tensor, " b"]:
        """The quality with the probe's part in it, of crops whose embeddings in the middle are `middle`."""
        regressed = (middle.float() @ self.weight + self.bias).clamp(0, 1)
        return torch.lerp(quality, regressed, self.settings.share)


def fit_probe(seen: Features, scores: Float[Tensor, " k"], settings: Finetune, prior: Prior) -> Probe | None:
    """The ridge regression of labelled images' scores on the mean of their views; None with a share of 0.

    With `settings.probe_prior` its weights are expected to be as `prior` says.

    Raises:
        UserError: the features were made without what the probe reads.
    """
    if not settings.probe_share:
        return None
    middle = seen.probed().mean(dim=1).numpy()
    chosen = ProbeSettings(block=settings.probe_block, share=float(settings.probe_share))
    if settings.probe_prior:
        root = prior.root(settings.probe_prior)
        weight, bias = ridge.coefficients(middle @ root, scores.numpy())
        weight = root @ weight
    else:
        weight, bias = ridge.coefficients(middle, scores.numpy(), settings.standardise)
    probe = Probe(chosen, len(weight))
    probe.weight.copy_(torch.from_numpy(weight))
    probe.bias.fill_(bias)
    return probe
