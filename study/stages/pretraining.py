"""Pre-training as the study runs it: which draws, from which state it goes on, and what the prompts know afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from open_clip import CLIP
from torch import Tensor

from grmp.crops import even_crops, to_float
from grmp.model import PromptedCLIP, prompted
from grmp.pretrain import predict, pretrain
from grmp.prior import Prior, embed, learn
from grmp.runtime import Runtime, Stream, generator
from grmp.sequential import pretrain_sequential
from grmp.settings import Pretrain, Prompts
from study.data.squashed import Squashed
from study.data.tasks import TaskSet
from study.running.kept import kept_training


@dataclass(frozen=True)
class Pretrained:
    """Trained prompts, and what was measured on the query images, each from one centre crop.

    Args:
        model: CLIP with the prompts.
        losses: a row per outer step, as `grmp.pretrain.pretrain` gives them.
        query: rows of the query images in the manifest of the tasks.
        before: predicted quality of these with fresh prompts.
        after: the same with the trained ones.
    """

    model: PromptedCLIP
    losses: pd.DataFrame
    query: pd.Index
    before: Float[Tensor, " n"]
    after: Float[Tensor, " n"]


def pretrain_prompts(
    clip: CLIP, tasks: TaskSet, settings: Pretrain, prompts: Prompts, crop: int, runtime: Runtime, seed: int
) -> Pretrained:
    """Meta-train fresh prompts on `tasks`; one that was interrupted goes on.

    Squashed images are of another size where they are query images of `sequential`: `crop` pixels, all of the image.

    Raises:
        UserError: as `grmp.pretrain.pretrain`.
    """
    again = [settings.draw] if settings.draw > 1 else []  # the first draw is named by the seed alone
    torch.manual_seed(int(generator(seed, Stream.FRESH_PROMPTS, *again).initial_seed()) % 2**31)
    model = prompted(clip, prompts).to(runtime.device)
    query = tasks.manifest.index[tasks.manifest["photograph"].isin(tasks.query)]
    crops = to_float(torch.stack([even_crops(tasks.images[row], crop, 1)[0] for row in query]))
    before = predict(model.eval(), crops, runtime)
    draws = generator(seed, Stream.TASKS, *again)
    squashed, sequential = isinstance(tasks.images, Squashed), settings.algorithm == "sequential"
    data = (
        tasks.images.state() if squashed else tasks.images,
        tasks.scores,
        {name: vars(pool) for name, pool in tasks.pools.items()},
    )
    start = model.state_dict(), draws.get_state(), torch.get_rng_state()
    store = kept_training(
        "sequential" if sequential else "pre-training",
        settings,
        crop,
        str(runtime.device),
        runtime.precision,
        data,
        start,
    )
    rest = tasks.scores, tasks.pools, settings, crop, runtime, draws, store
    if sequential:
        queries = tasks.images.at(crop) if squashed else tasks.images
        losses = pretrain_sequential(model, tasks.images, queries, *rest)
    else:
        losses = pretrain(model, tasks.images, *rest)
    return Pretrained(model, losses, query, before, predict(model, crops, runtime))


def label_entropy(scores: Float[Tensor, " n"]) -> float:
    """Mean entropy of soft labels in nats: the quality loss of a model that predicts every score exactly."""
    labels = scores.clamp(1e-6, 1 - 1e-6)
    return float(-(labels * labels.log() + (1 - labels) * (1 - labels).log()).mean())


def learn_prior(model: PromptedCLIP, tasks: TaskSet, blocks: Sequence[int], crop: int, runtime: Runtime) -> Prior:
    """What a centre crop of every image of `tasks`, seen with `model`'s prompts, teaches a probe behind `blocks`.

    Raises:
        UserError: as `grmp.prior.learn`.
    """
    model.eval().requires_grad_(False).to(runtime.device)
    crops = torch.stack([even_crops(image, crop, 1)[0] for image in tasks.images])
    embeddings = embed(model, crops, blocks, runtime)
    return learn(embeddings, tasks.scores, tasks.manifest["photograph"].tolist())
