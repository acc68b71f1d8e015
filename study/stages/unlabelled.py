"""Quality without any rated image: a probe that distorted photographs and their generated scores teach (ours).

A ridge regression behind some middle blocks of the untouched image tower, with so large a penalty that only what the
scores vary with most is learned. Tower, blocks, penalty and number of images were chosen on BIQ2021:
`study.stages.choose_unlabelled`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.linear_model import Ridge
from torch import Tensor

from grmp.crops import centre_views, cut_views, view_weights
from grmp.io import backbone
from grmp.model import PromptedCLIP, unprompted
from grmp.prior import embed
from grmp.probe import Probe, ProbeSettings
from grmp.runtime import Runtime, Stream, generator
from grmp.settings import Input
from study.data import manifests, sets
from study.params import Params

SIGHT = Input(views=((256, 2), ("native", 1)), crop=224)
"""What it sees of an image: crops of the size that CLIP was trained with; the study's may be smaller, to save time."""
BLOCKS = (8, 9, 10)
IMAGES = 500
PENALTY = 6e-3
"""Of the squared weights, times the number of images."""


def untouched_tower(clip: Path, crop: int, settings: Params) -> PromptedCLIP:
    """The CLIP of a weights file for crops of `crop` pixels, without prompts; its text context is drawn by the seed."""
    torch.manual_seed(int(generator(settings.compute.seed, Stream.FRESH_CONTEXT).initial_seed()))
    return unprompted(backbone.load(clip, crop), settings.prompts).eval().requires_grad_(False)


def learn_unlabelled(
    embeddings: Float[Tensor, "n block e"],
    scores: Float[Tensor, " n"],
    blocks: Sequence[int] = BLOCKS,
    penalty: float = PENALTY,
) -> Probe:
    """The probe of distorted images' embeddings behind `blocks`: the mean of one ridge regression each.

    The penalty makes predictions vary too little; a last regression on the same scores gives them their range back.

    Args:
        embeddings: of the images, the mean over their views.
        scores: in [0, 1].
        blocks: counted from 1.
        penalty: as `PENALTY`.
    """
    probe = Probe(ProbeSettings(blocks=tuple(blocks), share=1.0), embeddings.shape[-1])
    each, truth = embeddings.double().transpose(0, 1).numpy(), scores.double().numpy()
    weights = np.stack([Ridge(penalty * len(truth)).fit(one, truth).coef_ for one in each]) / len(blocks)
    slope, bias = np.polyfit(np.einsum("bne,be->n", each, weights), truth, 1)
    probe.weight.copy_(torch.from_numpy(slope * weights))
    probe.bias.fill_(float(bias))
    return probe


def teach(tower: PromptedCLIP, folder: Path, sight: Input, runtime: Runtime) -> Probe:
    """The probe that single distortions of the generated set in `folder` teach, seen as centre crops at every scale.

    Raises:
        UserError: no such set, or an image cannot be read.
    """
    manifest = manifests.sample(manifests.read_manifest(folder), IMAGES)
    centre = Input(views=centre_views(sight.views), crop=sight.crop)
    seen = embed_images(tower, folder, manifest, centre, runtime, "distorted images, for no label")
    return learn_unlabelled(seen, sets.scores(manifest))


def embed_images(
    tower: PromptedCLIP, folder: Path, manifest: pd.DataFrame, sight: Input, runtime: Runtime, title: str
) -> Float[Tensor, "n block e"]:
    """What the probe reads of the images of a `manifest` in `folder`, the mean over the crops that `sight` has of them.

    Raises:
        UserError: an image cannot be read.
    """
    images = sets.read_images(folder, manifest)
    crops = torch.stack([cut_views(image, sight.views, sight.crop) for image in images])
    return embed(tower.to(runtime.device), crops, view_weights(sight.views), BLOCKS, runtime, title)
