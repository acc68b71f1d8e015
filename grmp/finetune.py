"""The few-label loop: quality gradient, semantic gradient, projection, step.

No test label enters here, so none can influence training: test images come as features, and predictions go out. The
one exception has a name, `finetune.protocol: published`, and is handed in as a `Look`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from grmp.checks import check_step, largest, listed
from grmp.errors import UserError
from grmp.features import Features
from grmp.model import PromptedCLIP, first_trained_block, first_trained_text_block, quality_loss, semantic_loss
from grmp.progress import Progress
from grmp.projection import Projected, project, random_directions, with_lengths
from grmp.runtime import Runtime
from grmp.settings import Finetune, Qgr

MOST_ON_DEVICE = 4 * 2**30
"""Bytes of labelled images' tokens that a GPU keeps; 0.6 MB per image with two views of 224 pixels."""
REMEDY = "lower finetune.learning_rate or text_learning_rate (params.yaml), or look at these images and their labels"
Look = Callable[[torch.optim.Optimizer, Tensor], bool]
"""Is shown the optimiser and the predictions at an evaluation, and may lower the rate; whether training shall end."""


@dataclass(frozen=True)
class Labelled:
    """The k labelled images: tokens in front of the first trained block, scores in [0, 1], the teacher's scenes.

    `weights` are the chances of each view to be the one that a step sees. `indices` are how messages name the images:
    rows of the table that gives the labels, from 0.
    """

    tokens: Float[Tensor, "k view t d"]
    scores: Float[Tensor, " k"]
    teacher: Float[Tensor, "k view 9"]
    weights: Float[Tensor, " view"]
    indices: Int[Tensor, " k"] | None = None

    def see(
        self, model: PromptedCLIP, block: int, seen: tuple[Tensor, Tensor], runtime: Runtime, generator: torch.Generator
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b 9"]]:
        """Tokens in front of `block` and the teacher's scenes, of these images and views."""
        return self.tokens[seen].to(runtime.device), self.teacher[seen].to(runtime.device)

    def to(self, runtime: Runtime) -> "Labelled":
        """The same on the device and in the precision of `runtime`, for all steps at once.

        Very many images stay where they are, and each step fetches its own. So do indices: they are for messages alone.
        """
        tokens = self.tokens.to(runtime.dtype)
        device = runtime.device if tokens.nbytes <= MOST_ON_DEVICE else tokens.device
        scores, teacher = (part.to(device) for part in (self.scores, self.teacher))
        return Labelled(tokens.to(device), scores, teacher, self.weights, self.indices)


@dataclass(frozen=True)
class Outcome:
    """Result of a run: predictions for the test images at a few steps, and one row per step."""

    evaluated: list[int]
    predictions: Float[Tensor, "evaluation n"]
    steps: pd.DataFrame


def label(
    model: PromptedCLIP, seen: Features, scores: Float[Tensor, " k"], indices: Int[Tensor, " k"] | None = None
) -> Labelled:
    """Labelled images for the still untrained `model`: `seen` has its tokens, the untouched CLIP's embeddings."""
    return Labelled(seen.tokens, scores, teacher_logits(model, seen.embeddings).cpu(), seen.weights, indices)


def teacher_logits(model: PromptedCLIP, embeddings: Float[Tensor, "k view e"]) -> Float[Tensor, "k view 9"]:
    """Scene logits of the untouched CLIP, from its image `embeddings` and `model`'s untrained text tower."""
    with torch.no_grad():
        return model.scene_logits(embeddings.to(model.mean.device).flatten(0, 1)).unflatten(0, embeddings.shape[:2])


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """`evaluations` steps, evenly spread; the last one is always among them."""
    return sorted({round(steps * share / evaluations) for share in range(1, evaluations + 1)} - {0})


def make_optimiser(
    parameters: dict[str, Tensor], settings: Finetune
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with one cycle over the fixed number of steps, or SGD without momentum; each tower has its own rate."""
    image = [value for name, value in parameters.items() if name.startswith("clip.visual.")]
    text = [value for name, value in parameters.items() if not name.startswith("clip.visual.")]
    rates = [settings.learning_rate, settings.text_learning_rate]
    groups = [{"params": values, "lr": rate} for values, rate in zip((image, text), rates)]
    if settings.optimiser == "sgd":
        descent = torch.optim.SGD(groups, weight_decay=settings.weight_decay)
        return descent, torch.optim.lr_scheduler.ConstantLR(descent, factor=1.0)
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, settings.steps)


@dataclass(frozen=True)
class Batches:
    """Indices of the labelled images of every step, and the view of each."""

    images: Int[Tensor, "step b"]
    views: Int[Tensor, "step b"]


def draw(labelled: Labelled, settings: Finetune, generator: torch.Generator) -> Batches:
    """`settings.batch` distinct images for each of its steps (all where there are fewer), one random view of each."""
    count, size = len(labelled.tokens), min(settings.batch, len(labelled.tokens))
    chances = labelled.weights.cpu()
    drawn = [
        (torch.randperm(count, generator=generator)[:size], chances.multinomial(size, True, generator=generator))
        for _ in range(settings.steps)
    ]
    return Batches(*(torch.stack(rows) for rows in zip(*drawn)))


def finetune(
    model: PromptedCLIP,
    labelled: Labelled,
    test: Features,
    settings: Finetune,
    qgr: Qgr,
    runtime: Runtime,
    generator: torch.Generator,
    title: str = "fine-tune",
    look: Look | None = None,
) -> Outcome:
    """Train the text context and the last blocks of `model` in place for a fixed number of steps.

    A `test` part of no images is possible: the predictions then are of none.
    Image prompts stay frozen, without dropout unless `settings.dropout`. `look` may end it earlier. Columns of `steps`:
    step, quality and semantic (losses), cosine (between the two gradients before projection; empty where the semantic
    one was not needed).

    Raises:
        UserError: a loss or a gradient is NaN or infinite, with the step and the images of its batch; or `settings` ask
            for a `look` or for fresh crops that are not given.
    """
    bare = settings.crops == "batch" and type(labelled) is Labelled
    if bare or (settings.protocol == "published") != (look is not None):
        raise UserError("params.yaml: finetune.protocol and crops: the published ones are for `make published` alone")
    model.requires_grad_(False).eval()
    tuned = model.tuned_parameters(settings.blocks)
    parameters = list(tuned.values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    block, text_block = first_trained_block(model, settings.blocks), first_trained_text_block(model, settings.blocks)
    with torch.no_grad(), runtime.autocast():
        frozen_scenes = model.scene_tokens_before(text_block)
    optimiser, schedule = make_optimiser(tuned, settings)
    evaluated = evaluation_steps(settings.steps, settings.evaluations)
    labelled, steps = labelled.to(runtime), []
    batches = draw(labelled, settings, generator)
    indices = batches.images if labelled.indices is None else labelled.indices[batches.images]
    images, views = batches.images.to(labelled.tokens.device), batches.views.to(labelled.tokens.device)
    progress, predictions = Progress(title, settings.steps), []
    for step in range(1, settings.steps + 1):
        seen = images[step - 1], views[step - 1]
        scores = labelled.scores[seen[0]].to(runtime.device)
        model.train(settings.dropout)
        with runtime.autocast():
            tokens, teacher = labelled.see(model, block, seen, runtime, generator)
            features = model.embed_from(tokens, start=block)
            logit = model.quality_logit(features)
            scenes = model.scene_logits(features, model.embed_scenes_from(frozen_scenes, text_block))
        losses = {
            "quality": quality_loss(logit.float(), scores),
            "semantic": semantic_loss(scenes.float(), teacher),
        }
        measured = qgr.when != "never" or step in evaluated or step == 1
        semantic = losses["semantic"] if measured else None
        gradient, angle = combine(losses["quality"], semantic, parameters, qgr, generator)
        for parameter, value in zip(parameters, gradient):
            parameter.grad = value
        optimiser.step()
        schedule.step()
        numbers = {name: float(loss.detach()) for name, loss in losses.items()}
        rows = f"rows {listed(indices[step - 1])} of the labels"
        check_step(title, step, numbers, float(largest(gradient)), rows, REMEDY)
        steps.append({"step": step, **numbers, "cosine": float(angle)})
        progress.update(step, items=len(scores), loss=numbers["quality"])
        if step in evaluated:
            predictions.append(predict(model.eval(), test, block, runtime))
            if look and look(optimiser, predictions[-1]):
                break
    model.requires_grad_(False)
    return Outcome(evaluated[: len(predictions)], torch.stack(predictions), pd.DataFrame(steps))


def combine(
    quality: Tensor, semantic: Tensor | None, parameters: list[Tensor], qgr: Qgr, generator: torch.Generator
) -> Projected:
    """The projected gradient and the cosine before it; without `semantic`, the plain quality gradient and a NaN.

    `qgr.control` puts a control (ours) in the place of QGR; `generator` draws for it alone.
    """

    def gradient(loss: Tensor, keep: bool) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True, allow_unused=True)

    g_q = gradient(quality, semantic is not None)
    if semantic is None:
        return Projected(list(g_q), torch.full((), torch.nan, device=quality.device))
    direction: Sequence[Tensor] = gradient(semantic, False)
    if qgr.control == "random_direction":
        direction = random_directions(direction, generator)
    projected = project(g_q, direction, qgr.strength, qgr.when, qgr.scope)
    if qgr.control == "length":
        return projected._replace(gradients=with_lengths(g_q, projected.gradients))
    return projected


@torch.no_grad()
def predict(
    model: PromptedCLIP, features: Features, block: int, runtime: Runtime, batch: int = 64
) -> Float[Tensor, " n"]:
    """Quality in (0, 1) from frozen tokens, averaged over an image's views, on the CPU."""
    with runtime.autocast():
        classes = model.class_features()
        parts = [
            model.quality_logit(model.embed_from(part.to(runtime.device, runtime.dtype), block), classes)
            .sigmoid()
            .cpu()
            for part in features.tokens.flatten(0, 1).split(batch)
        ]
    return features.average(torch.cat(parts).unflatten(0, features.tokens.shape[:2]))
