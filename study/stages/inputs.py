"""What all cells of the grid share: features, scores, splits, and how a model starts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from open_clip import CLIP
from torch import Tensor

from grmp.features import Features
from grmp.io import backbone, prior_file
from grmp.io.digest import digest
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import PromptedCLIP
from grmp.prior import Prior
from grmp.probe_fit import Roots, prior_roots
from grmp.runtime import Runtime, Stream, generator, start
from grmp.settings import Compute, Finetune, Input, Prompts
from study.data import manifests, sets
from study.data.sets import Fold
from study.stages.features import load
from study.variant import Variant


@dataclass(frozen=True)
class Inputs:
    """What all cells share: the target's features, scores and folds (one per repeat), and how to start a model.

    `study.stages.protocol` alone gives `whole` images, of which steps see fresh crops, and lets the test part's scores
    steer (`steered`).
    """

    plain: Features
    meta: Features
    scores: Float[Tensor, " n"]
    folds: list[Fold]
    clip: CLIP
    pretrained: PromptedCLIP
    prompts: Prompts
    finetune: Finetune
    seed: int
    runtime: Runtime
    prior: Prior | None = None  # None will do where no variant has both a probe and MPP
    whole: UInt8[Tensor, "n 3 s s"] | None = None
    crop: int = 0  # of `whole`, in pixels
    steered: bool = False

    @property
    def repeats(self) -> int:
        """Number of repeats of a cell, each with other labelled images."""
        return len(self.folds)

    @cached_property
    def digests(self) -> dict[bool, str]:
        """What fine-tuning depends on besides the repeat, with and without MPP; computed once."""
        probe = {"probe_blocks", "probe_share", "probe_prior", "standardise"}
        settings = self.prompts, self.finetune.model_dump(exclude=probe), self.seed
        runtime = str(self.runtime.device), self.runtime.precision
        images = () if self.whole is None else (self.whole, self.crop)
        plain = self.plain.embeddings, self.plain.weights
        common = digest(settings, runtime, *plain, self.scores, self.clip.state_dict(), *images)
        meta = digest(common, self.meta.tokens, self.pretrained.prompt_parameters())
        return {True: meta, False: digest(common, self.plain.tokens)}

    @cached_property
    def roots(self) -> Roots | None:
        """Those of the prior, for a probe behind MPP."""
        return prior_roots(self.finetune, self.prior)

    def features_of(self, variant: Variant) -> Features:
        """What the variant's tower makes of the target, before it is tuned."""
        return self.meta if variant.mpp else self.plain


def gather(manifest: pd.DataFrame, repeats: int, **parts: Any) -> Inputs:
    """The inputs of the `repeats` that `manifest` deals its images to; `parts` are the other fields."""
    return Inputs(scores=sets.scores(manifest), folds=sets.folds(manifest, repeats), **parts)


def draw_labelled(pool: int, count: int, seed: int, repeat: int) -> torch.Tensor:
    """Indices of the labelled images. Nested: of one repeat, the 10 are among the 50."""
    return torch.randperm(pool, generator=generator(seed, Stream.LABELLED_IMAGES, repeat))[:count]


def labelled_indices(inputs: Inputs, count: int, repeat: int) -> Int[Tensor, " k"]:
    """Indices, among all images, of those whose labels this repeat may use."""
    pool = inputs.folds[repeat - 1].train
    return pool[draw_labelled(len(pool), count, inputs.seed, repeat)]


def read_inputs(
    folders: Folders, compute: Compute, prompts: Prompts, image: Input, finetune: Finetune, repeats: int
) -> Inputs:
    """Everything that earlier stages made for the grid.

    Raises:
        UserError: a file of an earlier stage is missing, truncated or of other sizes.
    """
    runtime = start(compute)
    clip = backbone.load(folders.clip, image.crop)
    manifest = manifests.read_manifest(folders.target)
    pretrained = load_prompts(folders.prompts, clip, prompts)
    return gather(
        manifest,
        repeats,
        plain=load(folders.features / "plain.safetensors"),
        meta=load(folders.features / "meta.safetensors"),
        clip=clip,
        pretrained=pretrained,
        prompts=prompts,
        finetune=finetune,
        seed=compute.seed,
        runtime=runtime,
        prior=prior_file.load(folders.prior, pretrained, finetune.probe_blocks),
    )
