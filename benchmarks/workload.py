"""What is measured: a CLIP of random weights, images of smooth noise, and both programs from the same start."""

import copy
import math
from dataclasses import dataclass, field, replace

import open_clip
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from benchmarks.reference import Reference
from grmp.features import Features, frozen_features
from grmp.finetune import Labelled, label
from grmp.io.backbone import build
from grmp.model import PromptedCLIP, first_trained_block, prompted
from grmp.runtime import Runtime, generator, start
from grmp.settings import Compute, Finetune, Prompts, Qgr


def vit_b_16() -> dict:
    """OpenAI's ViT-B/16 with its own text tower, as open_clip describes it."""
    return open_clip.get_model_config("ViT-B-16-quickgelu")


@dataclass(frozen=True)
class Sizes:
    """How much there is to do. The published sizes, but for the batch, of which 192 would mean all `labels`."""

    labels: int = 50
    batch: int = 16
    blocks: int = 4
    tokens: int = 100
    image: int = 224
    steps: int = 2
    views: int = 1
    repeats: int = 1
    architecture: dict = field(default_factory=lambda: vit_b_16())

    @property
    def finetune(self) -> Finetune:
        """As params.yaml would have them."""
        return Finetune(
            blocks=self.blocks,
            steps=self.steps,
            batch=self.batch,
            learning_rate=1e-4,
            text_learning_rate=1e-3,
            weight_decay=1e-4,
            evaluations=1,
            probe_blocks=(9,),
            probe_share=0.5,
            probe_prior=0.0,
            standardise=False,
        )


QGR = Qgr(when="aligned", strength=1.0, scope="tensor")


def runtime(device: str, precision: str, threads: int = 2) -> Runtime:
    """Device, precision and threads as the study takes them from params.yaml."""
    return start(Compute(device=device, precision=precision, threads=threads, seed=1))


def make_model(sizes: Sizes, seed: int = 1) -> PromptedCLIP:
    """Frozen, with fresh prompts, random weights and CLIP's own logit scale of 100."""
    torch.manual_seed(seed)
    clip = build(sizes.architecture, sizes.image).eval()
    clip.logit_scale.data.fill_(math.log(100))
    settings = Prompts(context=4, image_tokens=sizes.tokens, depth=12, dropout=0.0, projection=False)
    return prompted(clip, settings).eval().requires_grad_(False)


def as_reference(model: PromptedCLIP) -> Reference:
    """The plain program with a copy of the same weights."""
    return Reference(*(copy.deepcopy(part) for part in (model.clip, model.text_prompt, model.visual_prompt)))


def pictures(count: int, sizes: Sizes, seed: int = 2) -> UInt8[Tensor, "n view 3 s s"]:
    """Smooth noise, so that images differ as photographs do."""
    coarse = torch.rand(count * sizes.views, 3, 8, 8, generator=generator(seed))
    fine = F.interpolate(coarse, size=sizes.image, mode="bicubic").clamp(0, 1)
    return (fine * 255).byte().unflatten(0, (count, sizes.views))


def scores(count: int, seed: int = 3) -> Float[Tensor, " n"]:
    """Labels in [0, 1]."""
    return torch.rand(count, generator=generator(seed))


def tokens_of(model: PromptedCLIP, images: UInt8[Tensor, "n view 3 s s"], blocks: int, on: Runtime) -> Features:
    """What the frozen blocks make of `images`, as the study's stage `features` computes it once."""
    return frozen_features(model, images, first_trained_block(model, blocks), on, "frozen blocks")


def labelled_of(model: PromptedCLIP, images: UInt8[Tensor, "n view 3 s s"], blocks: int, on: Runtime) -> Labelled:
    """The labelled images as the study has them when fine-tuning begins."""
    untouched = PromptedCLIP(model.clip, model.text_prompt).eval().to(on.device)
    block = first_trained_block(model, blocks)
    plain = frozen_features(untouched, images, block, on, "untouched CLIP", keep_tokens=False)
    seen = replace(tokens_of(model, images, blocks, on), embeddings=plain.embeddings)
    return label(model, seen, scores(len(images)))
