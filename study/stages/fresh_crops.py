"""Labelled images of which every step sees a crop of its own, as in the published code: slow, as nothing is cached."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from grmp.crops import random_crop, to_float
from grmp.finetune import Labelled
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime


def squash_aliased(image: UInt8[Tensor, "3 h w"], side: int) -> UInt8[Tensor, "3 s s"]:
    """The whole image as a square of `side` pixels by cubic interpolation without antialiasing, as published."""
    small = F.interpolate(image[None].float(), (side, side), mode="bicubic", antialias=False)
    return small[0].round().clamp(0, 255).byte()


@dataclass(frozen=True)
class FreshCrops(Labelled):
    """The k labelled images themselves, one view each; of all of them a step sees the same random crop, or its mirror.

    Args:
        tokens: the images as squares of bytes, [k 1 3 s s]; their tokens are computed in every step.
        scores: in [0, 1].
        teacher: not read; `untouched` makes the scene logits of the very crops.
        weights: that of the one view, 1.
        indices: as `Labelled` has them.
        untouched: CLIP without prompts, where the model is.
        crop: side of the crops, in pixels.
    """

    untouched: PromptedCLIP | None = None
    crop: int = 224

    def to(self, runtime: Runtime) -> "FreshCrops":
        """The same where `runtime` computes; bytes stay bytes."""
        place = runtime.device
        return replace(
            self, tokens=self.tokens.to(place), scores=self.scores.to(place), untouched=self.untouched.to(place)
        )

    @torch.no_grad()
    def see(
        self, model: PromptedCLIP, block: int, seen: tuple[Tensor, Tensor], runtime: Runtime, generator: torch.Generator
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b 9"]]:
        """Tokens in front of `block` and the untouched CLIP's scene logits, of one crop of these images, drawn anew."""
        images = self.tokens[seen]
        crops = to_float(random_crop(images.flatten(0, 1), self.crop, generator).unflatten(0, images.shape[:2]))
        return model.tokens_before(crops, block), self.untouched.scene_logits(self.untouched.encode_image(crops))
