"""The few-label loop: quality gradient, semantic gradient, projection, step.

No test label enters here, so none can influence training: test images come as features, and predictions go out.
"""

from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from grmp.features import Features, first_trained_block
from grmp.model import PromptedCLIP, quality_loss, semantic_loss
from grmp.params import Finetune, Qgr
from grmp.progress import Progress
from grmp.projection import cosine, project
from grmp.runtime import Runtime


@dataclass(frozen=True)
class Labelled:
    """The k labelled images: tokens in front of the first trained block, scores in [0, 1], the teacher's scenes."""

    tokens: Float[Tensor, "k view t d"]
    scores: Float[Tensor, " k"]
    teacher: Float[Tensor, "k view 9"]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: predictions for the test images at a few steps, and one row per step."""

    evaluated: list[int]
    predictions: Float[Tensor, "evaluation n"]
    steps: pd.DataFrame


def label(
    model: PromptedCLIP,
    tokens: Float[Tensor, "k view t d"],
    embeddings: Float[Tensor, "k view e"],
    scores: Float[Tensor, " k"],
) -> Labelled:
    """Labelled images for the still untrained `model`: `tokens` are its own, `embeddings` the untouched CLIP's."""
    return Labelled(tokens, scores, teacher_logits(model, embeddings).cpu())


def teacher_logits(model: PromptedCLIP, embeddings: Float[Tensor, "k view e"]) -> Float[Tensor, "k view 9"]:
    """Scene logits of the untouched CLIP, from its own image `embeddings` and `model`'s still untrained text tower."""
    with torch.no_grad():
        return model.scene_logits(embeddings.to(model.mean.device).flatten(0, 1)).unflatten(0, embeddings.shape[:2])


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """`evaluations` steps, evenly spread; the last one is always among them."""
    return sorted({round(steps * share / evaluations) for share in range(1, evaluations + 1)} - {0})


def make_optimiser(
    parameters: list[Tensor], settings: Finetune
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with one cycle of the learning rate over the fixed number of steps."""
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)


def draw(labelled: Labelled, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, scores and teacher logits of `size` distinct images (all where there are fewer), one view of each."""
    images = torch.randperm(len(labelled.scores), generator=generator)[:size]
    views = torch.randint(labelled.tokens.shape[1], (len(images),), generator=generator)
    return labelled.tokens[images, views], labelled.scores[images], labelled.teacher[images, views]


def finetune(
    model: PromptedCLIP,
    labelled: Labelled,
    test: Features,
    settings: Finetune,
    qgr: Qgr,
    runtime: Runtime,
    generator: torch.Generator,
    title: str = "fine-tune",
) -> Outcome:
    """Train the text context and the last blocks of `model` in place for a fixed number of steps.

    A `test` part of no images is possible: the predictions then are of none.
    Image prompts stay frozen, without dropout. Columns of `steps`: step, quality and semantic (losses), cosine
    (between the two gradients before projection; empty where the semantic one was not needed).
    """
    model.requires_grad_(False).eval()
    parameters = list(model.tuned_parameters(settings.blocks).values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    block = first_trained_block(model, settings.blocks)
    labelled = Labelled(*(part.to(runtime.device) for part in vars(labelled).values()))  # few enough to stay there
    optimiser, schedule = make_optimiser(parameters, settings)
    evaluated = evaluation_steps(settings.steps, settings.evaluations)
    progress, rows, predictions = Progress(title, settings.steps), [], []
    for step in range(1, settings.steps + 1):
        tokens, scores, teacher = draw(labelled, settings.batch, generator)
        with runtime.autocast():
            features = model.finish(tokens.to(runtime.dtype), start=block)
            logit, scenes = model.quality_logit(features), model.scene_logits(features)
        quality, semantic = quality_loss(logit.float(), scores), semantic_loss(scenes.float(), teacher)
        measured = qgr.when != "never" or step in evaluated or step == 1
        gradient, angle = combine(quality, semantic if measured else None, parameters, qgr)
        for parameter, value in zip(parameters, gradient):
            parameter.grad = value
        optimiser.step()
        schedule.step()
        rows.append((step, float(quality.detach()), float(semantic.detach()), angle))
        progress.update(step, items=len(scores), loss=rows[-1][1])
        if step in evaluated:
            predictions.append(predict(model, test, block, runtime))
    model.requires_grad_(False)
    return Outcome(
        evaluated, torch.stack(predictions), pd.DataFrame(rows, columns=["step", "quality", "semantic", "cosine"])
    )


def combine(
    quality: Tensor, semantic: Tensor | None, parameters: list[Tensor], qgr: Qgr
) -> tuple[list[Tensor], float | None]:
    """The projected gradient and the cosine before projection; without `semantic`, the plain quality gradient."""

    def gradient(loss: Tensor, keep: bool) -> tuple[Tensor, ...]:
        options = {"retain_graph": keep, "materialize_grads": True, "allow_unused": True}
        return torch.autograd.grad(loss, parameters, **options)

    g_q = gradient(quality, semantic is not None)
    if semantic is None:
        return list(g_q), None
    g_s = gradient(semantic, False)
    return project(g_q, g_s, qgr.strength, qgr.when, qgr.scope), cosine(g_q, g_s)


@torch.no_grad()
def predict(
    model: PromptedCLIP, features: Features, block: int, runtime: Runtime, batch: int = 64
) -> Float[Tensor, " n"]:
    """Quality in (0, 1) from frozen tokens, averaged over an image's views, on the CPU."""
    with runtime.autocast():
        classes = model.class_features()
        parts = [
            model.quality_logit(model.finish(part.to(runtime.device, runtime.dtype), block), classes).sigmoid().cpu()
            for part in features.tokens.flatten(0, 1).split(batch)
        ]
    return torch.cat(parts).unflatten(0, features.tokens.shape[:2]).mean(dim=1)
