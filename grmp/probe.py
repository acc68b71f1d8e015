"""The probe (ours): a regression on the class token behind each of some middle blocks; their mean joins the quality.

`grmp.probe_fit` makes it; here is only what a scorer needs, without the libraries that fit.
"""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from grmp.errors import UserError
from grmp.settings import Count, Section


class ProbeSettings(Section):
    """The blocks that it reads, counted from 1, its share of the quality, and whether it knows its own uncertainty."""

    blocks: Annotated[tuple[Count, ...], Field(min_length=1)]
    share: Annotated[float, Field(gt=0, le=1, strict=True)]
    interval: bool = False


class Probe(nn.Module):
    """`(1 - share) * quality + share * (w . f + b)`, the latter kept within 0 and 1 (variant `full_probe`).

    The product runs over the channels of all its blocks.

    Args:
        settings: which `f` it takes, and its share.
        width: channels of `f` behind one block.
    """

    weight: Float[Tensor, "block e"]
    bias: Float[Tensor, ""]
    centre: Float[Tensor, "block e"]
    form: Float[Tensor, "block e e"]
    noise: Float[Tensor, " block"]

    def __init__(self, settings: ProbeSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("weight", torch.zeros(len(settings.blocks), width))
        self.register_buffer("bias", torch.zeros(()))
        if settings.interval:
            self.register_buffer("centre", torch.zeros(len(settings.blocks), width))
            self.register_buffer("form", torch.zeros(len(settings.blocks), width, width))
            self.register_buffer("noise", torch.zeros(len(settings.blocks)))

    def forward(self, quality: Float[Tensor, " b"], middle: Float[Tensor, "b block e"]) -> Float[Tensor, " b"]:
        """The quality of crops, the probe's share included; `middle` are their embeddings behind its blocks."""
        regressed = (middle.float().flatten(1) @ self.weight.flatten() + self.bias).clamp(0, 1)
        return torch.lerp(quality, regressed, self.settings.share)

    def margin(self, middle: Float[Tensor, "b block e"]) -> Float[Tensor, " b"]:
        """How far on either side of the quality the label is in nine of ten cases, as the regressions know it.

        The mean over the blocks by their shares, whose squares are in `form` and `noise`: they learned from the same
        labels, so that their errors are taken to be the same.

        Raises:
            UserError: it has no posterior (`settings.interval`).
        """
        if not self.settings.interval:
            raise UserError("this checkpoint knows no intervals; `grmp fit` makes one that does")
        away = middle.float() - self.centre
        spread = torch.einsum("bke,kef,bkf->bk", away, self.form, away).clamp(0)
        return (spread + self.noise).sqrt().sum(dim=1)
