"""The pre-training loop: distortion tasks in, meta-trained prompts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.func import functional_call

from grmp.checks import check_step, largest, listed
from grmp.crops import random_view, to_float
from grmp.errors import UserError
from grmp.meta import Inner, Loss, Prompts, Task, meta_gradient
from grmp.model import PromptedCLIP, quality_loss
from grmp.progress import Progress
from grmp.runtime import Runtime
from grmp.settings import Input, Pretrain
from grmp.training import Store, Training

REMEDY = "lower pretrain.inner_rate or pretrain.outer_rate (params.yaml), or look at these images"


@dataclass(frozen=True)
class TaskPool:
    """Indices (in the list of all images) of one distortion type's support and query images."""

    support: list[int]
    query: list[int]


class Batch(NamedTuple):
    """Crops as bytes, their scores in [0, 1], and the indices of their images among all."""

    images: UInt8[Tensor, "b 3 s s"]
    scores: Float[Tensor, " b"]
    indices: Sequence[int] = ()


def draw_batch(
    images: Sequence[UInt8[Tensor, "3 h w"]],
    scores: Float[Tensor, " n"],
    indices: list[int],
    size: int,
    sight: Input,
    generator: torch.Generator,
) -> Batch:
    """`size` images of `indices` without repetition (fewer where there are fewer), a random crop of each.

    The scales of `sight` take turns, so that each has its equal share of the batch.
    """
    chosen = [indices[i] for i in torch.randperm(len(indices), generator=generator)[:size].tolist()]
    scales = cycle(scale for scale, _ in sight.views)
    crops = [random_view(images[i], scale, sight.crop, generator) for i, scale in zip(chosen, scales)]
    return Batch(torch.stack(crops), scores[chosen], chosen)


def make_loss(
    model: PromptedCLIP, runtime: Runtime, share: float = 1.0, generator: torch.Generator | None = None
) -> Loss:
    """The quality loss as a function of prompts and batch, which is what meta-learning differentiates.

    Each time it sees a `share` of every image's patches, drawn anew (as in FLIP; Li et al., CVPR 2023): half of them
    cost half as much. With 1 it sees all, and draws nothing.
    """

    def loss(prompts: Prompts, batch: Batch) -> Tensor:
        patches = draw_patches(batch.images.shape, model.patch, share, generator) if share < 1 else None
        options = {"as_logit": True, "patches": None if patches is None else patches.to(runtime.device)}
        images = to_float(batch.images.to(runtime.device))  # there: bytes are a quarter of the way
        with runtime.autocast():
            logit = functional_call(model, prompts, (images,), options)
        return quality_loss(logit.float(), batch.scores.to(runtime.device))

    return loss


def draw_patches(shape: torch.Size, patch: int, share: float, generator: torch.Generator | None) -> Int[Tensor, "b k"]:
    """Indices of a `share` of the patches, at least one, of each image of a batch of `shape`, without repetition."""
    count = (shape[-2] // patch) * (shape[-1] // patch)
    keys = torch.rand(shape[0], count, generator=generator)
    return keys.argsort(dim=1)[:, : max(1, round(share * count))]


def make_optimiser(
    prompts: Prompts, settings: Pretrain
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam with one cycle on a meta-gradient; for Reptile the plain step `theta - rate * mean(theta - theta_i)`.

    Reptile's rate falls linearly to zero, as in Nichol et al. (2018).
    """
    values = list(prompts.values())
    if settings.algorithm == "reptile":
        optimiser = torch.optim.SGD(values, lr=settings.outer_rate)
        return optimiser, torch.optim.lr_scheduler.LinearLR(
            optimiser, 1.0, 1 / settings.outer_steps, settings.outer_steps - 1
        )
    adam = torch.optim.AdamW(values, lr=settings.outer_rate, weight_decay=0.0)
    return adam, torch.optim.lr_scheduler.OneCycleLR(adam, settings.outer_rate, settings.outer_steps)


def trainable_prompts(model: PromptedCLIP) -> Prompts:
    """The prompts of `model`, ready to be trained, with dropout; everything else is frozen."""
    prompts = model.requires_grad_(False).train().prompt_parameters()
    for prompt in prompts.values():
        prompt.requires_grad_(True)
    return prompts


def pretrain(
    model: PromptedCLIP,
    images: Sequence[UInt8[Tensor, "3 h w"]],
    scores: Float[Tensor, " n"],
    pools: dict[str, TaskPool],
    settings: Pretrain,
    sight: Input,
    runtime: Runtime,
    generator: torch.Generator,
    store: Store | None = None,
) -> pd.DataFrame:
    """Meta-train the prompts of `model` in place; everything else stays frozen. Goes on from the state in `store`.

    Returns one row per outer step: step, support (loss before adaptation), query (after it), tasks (their names).

    Raises:
        UserError: a loss or a meta-gradient is NaN or infinite, with the step, its tasks and their images; or the
            algorithm, or its way with images and labels, is that of `sequential`, which is the study's.
    """
    if settings.algorithm == "sequential":
        raise UserError("params.yaml: pretrain.algorithm: sequential is for `dvc repro` and `make published` alone")
    if (settings.split, settings.labels) != ("photographs", "fixed"):
        raise UserError("params.yaml: pretrain.split: images and labels: stretched are for algorithm: sequential alone")
    prompts = trainable_prompts(model)
    loss = make_loss(model, runtime, settings.patches, generator)
    inner = Inner(settings.inner_steps, settings.inner_rate, settings.inner_optimiser)
    optimiser, schedule = make_optimiser(prompts, settings)
    training = Training(store, list(prompts.values()), optimiser, schedule, generator)
    rows, names = training.restore(), sorted(pools)
    progress = Progress("pre-train", settings.outer_steps)
    for step in range(len(rows) + 1, settings.outer_steps + 1):
        chosen = [names[i] for i in torch.randperm(len(names), generator=generator)[: settings.tasks].tolist()]
        tasks = [
            Task(
                draw_batch(images, scores, pools[name].support, settings.support, sight, generator),
                draw_batch(images, scores, pools[name].query, settings.query, sight, generator),
            )
            for name in chosen
        ]
        found = meta_gradient(loss, prompts, tasks, settings.algorithm, inner)
        for name, prompt in prompts.items():
            prompt.grad = found.gradient[name]
        optimiser.step()
        schedule.step()
        rows.append((step, found.support, found.query, " ".join(chosen)))
        losses = {"support": found.support, "query": found.query}
        steepest = float(largest(found.gradient.values()))
        check_step("pre-train", step, losses, steepest, _in_words(chosen, tasks), REMEDY)
        training.keep(rows, last=step == settings.outer_steps)
        seen = sum(len(task.support.scores) + len(task.query.scores) for task in tasks)
        progress.update(step, items=seen, support=found.support, query=found.query)
    model.requires_grad_(False).eval()
    return pd.DataFrame(rows, columns=["step", "support", "query", "tasks"])


def _in_words(chosen: list[str], tasks: list[Task]) -> str:
    rows = (listed([*task.support.indices, *task.query.indices]) for task in tasks)
    return "; ".join(f"distortion type {name}, rows {some} of manifest.csv" for name, some in zip(chosen, rows))
