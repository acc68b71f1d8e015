"""What was tried for speed and not taken up, each against what the library does, with its number."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from unittest.mock import patch

import torch
import typer
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from benchmarks import measure, table, workload
from benchmarks.options import Device, Pairs, Precision, Threads, command
from benchmarks.workload import Sizes
from grmp.features import Features
from grmp.finetune import Labelled, predict
from grmp.model import PromptedCLIP, first_trained_block, quality_loss, semantic_loss
from grmp.runtime import Runtime
from study.command import run_command

REPEATS = 2


@dataclass(frozen=True)
class Case:
    """A model, its labelled images, where they are, and with which precision they are handled."""

    model: PromptedCLIP
    images: Tensor
    labelled: Labelled
    sizes: Sizes
    on: Runtime

    @property
    def block(self) -> int:
        """The first trained block of the image tower."""
        return first_trained_block(self.model, self.sizes.blocks)

    def losses(self, model: PromptedCLIP) -> tuple[Tensor, Tensor]:
        """Quality and semantic loss on all labelled images, as a step has them."""
        tokens = self.labelled.tokens[:, 0].to(self.on.device, self.on.dtype)
        with self.on.autocast():
            features = model.embed_from(tokens, start=self.block)
            logit, scenes = model.quality_logit(features), model.scene_logits(features)
        teacher = self.labelled.teacher[:, 0].to(self.on.device)
        scores = self.labelled.scores.to(self.on.device)
        return quality_loss(logit.float(), scores), semantic_loss(scenes.float(), teacher)

    def trained(self) -> tuple[PromptedCLIP, list[Tensor]]:
        """A copy whose trained parameters ask for gradients, and these."""
        model = copy.deepcopy(self.model)
        return model, [value.requires_grad_(True) for value in model.tuned_parameters(self.sizes.blocks).values()]


Sides = tuple[Callable[[], object], Callable[[], object]]
"""What the library does, and what was tried."""


def two_backward_passes(case: Case) -> Callable[[], object]:
    """Both gradients from one graph, one after the other: what the library does."""
    model, parameters = case.trained()

    def both() -> None:
        quality, semantic = case.losses(model)
        torch.autograd.grad(quality, parameters, retain_graph=True, allow_unused=True)
        torch.autograd.grad(semantic, parameters, allow_unused=True)

    return both


def batched_backward(case: Case) -> Sides:
    """Both gradients from one backward pass that carries two cotangents (`is_grads_batched`)."""
    model, parameters = case.trained()

    def batched() -> None:
        losses = torch.stack(case.losses(model))
        chosen = torch.eye(2, device=losses.device)
        torch.autograd.grad(losses, parameters, chosen, is_grads_batched=True, allow_unused=True)

    return two_backward_passes(case), batched


def compiled(case: Case) -> Sides:
    """The trained blocks through torch.compile; what compiling itself takes is not in the ratio."""
    other, parameters = case.trained()
    other.finish = torch.compile(other.finish)

    def step() -> None:
        quality, semantic = case.losses(other)
        torch.autograd.grad(quality, parameters, retain_graph=True, allow_unused=True)
        torch.autograd.grad(semantic, parameters, allow_unused=True)

    return two_backward_passes(case), step


def torchs_attention(case: Case) -> Sides:
    """torch's own attention kernel in the trained blocks, in the place of `grmp.towers.mix`."""
    if (case.on.device.type, case.on.precision) != ("cpu", "bf16"):
        raise NotImplementedError("the library uses it itself")
    ours, same = two_backward_passes(case), two_backward_passes(case)

    def kernel() -> None:
        with patch("grmp.towers.mix", F.scaled_dot_product_attention):
            same()

    return ours, kernel


def channels_last(case: Case) -> Sides:
    """The patch embedding with its images and weights in channels-last order."""
    pixels = case.images[:, 0].float().to(case.on.device) / 255
    turned, weights = pixels.to(memory_format=torch.channels_last), copy.deepcopy(case.model)
    weights.clip.visual.conv1.to(memory_format=torch.channels_last)

    def embed(model: PromptedCLIP, images: Tensor) -> Callable[[], object]:
        def work() -> None:
            with torch.no_grad(), case.on.autocast():
                for _ in range(20):
                    model.tokens_before(images, stop=0)

        return work

    return embed(case.model, pixels), embed(weights, turned)


def evaluation_batch(size: int) -> Callable[[Case], Sides]:
    """Evaluation in batches of `size` in the place of 64 crops."""

    def sides(case: Case) -> Sides:
        many = case.labelled.tokens.repeat(-(-256 // len(case.labelled.tokens)), 1, 1, 1)
        kept = Features(many, many[:, :, 0])
        return (
            lambda: predict(case.model, kept, case.block, case.on),
            lambda: predict(case.model, kept, case.block, case.on, size),
        )

    return sides


def threads(count: int) -> Callable[[Case], Sides]:
    """The step on `count` threads in the place of those given."""

    def sides(case: Case) -> Sides:
        step, given = two_backward_passes(case), torch.get_num_threads()

        def on_so_many() -> None:
            torch.set_num_threads(count)
            step()
            torch.set_num_threads(given)

        return step, on_so_many

    return sides


def over_repeats(case: Case) -> Sides:
    """The quality gradients of two repeats at once by `vmap`, in the place of one after the other."""
    trained = [case.trained() for _ in range(REPEATS)]
    names = set(case.model.tuned_parameters(case.sizes.blocks))
    stacked, buffers = stack_module_state([model for model, _ in trained])
    tuned = {name: value for name, value in stacked.items() if name in names}
    rest = {name: value[0] for name, value in (stacked | buffers).items() if name not in names}
    model, tokens = case.model, case.labelled.tokens[:, 0].to(case.on.device, case.on.dtype)
    scores = case.labelled.scores.to(case.on.device)

    def loss(values: dict[str, Tensor]) -> Tensor:
        with case.on.autocast():
            return quality_loss(functional_call(_Finish(model, case.block), _below(values | rest), tokens), scores)

    def in_turn() -> None:
        for each, parameters in trained:
            torch.autograd.grad(case.losses(each)[0], parameters, allow_unused=True)

    return in_turn, lambda: vmap(grad(loss))(tuned)


class _Finish(torch.nn.Module):
    def __init__(self, model: PromptedCLIP, block: int) -> None:
        super().__init__()
        self.model, self.block = model, block

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model.quality_logit(self.model.embed_from(tokens, self.block)).float()


def _below(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"model.{name}": value for name, value in values.items()}


TRIALS: dict[str, Callable[[Case], Sides]] = {
    "one backward pass with two cotangents": batched_backward,
    "torch's attention kernel": torchs_attention,
    "channels_last patch embedding": channels_last,
    "evaluation in batches of 16": evaluation_batch(16),
    "evaluation in batches of 256": evaluation_batch(256),
    "1 thread": threads(1),
    "4 threads": threads(4),
    f"vmap over {REPEATS} repeats": over_repeats,
    "torch.compile of the trained blocks": compiled,
}


def main(
    blocks: Annotated[int, typer.Option(help="trained last blocks")] = 2,
    batch: Annotated[int, typer.Option(help="labelled images")] = 16,
    precision: Precision = "auto",
    device: Device = "auto",
    threads: Threads = 2,
    pairs: Pairs = 3,
) -> None:
    """Measure the whole table of what was tried; `ratio` says how many times faster the trial is than the library."""
    on, sizes = workload.runtime(device, precision, threads), Sizes(labels=batch, batch=batch, blocks=blocks)
    model, images = workload.make_model(sizes).to(on.device), workload.pictures(batch, sizes)
    case = Case(model, images, workload.labelled_of(model, images, blocks, on), sizes, on)
    for title, trial in TRIALS.items():
        about = {**measure.machine(on), "tried": title, "ours": on.precision, "blocks": blocks, "batch": batch}
        table.keep("tried", command(), about | _measured(trial, case, pairs))


def _measured(trial: Callable[[Case], Sides], case: Case, pairs: int) -> dict[str, object]:
    try:
        sides = trial(case)
        started = time.perf_counter()
        sides[1]()
    except (RuntimeError, NotImplementedError) as error:  # also how torch.compile says that there is no compiler
        return {"note": f"does not run: {type(error).__name__}"}
    first = time.perf_counter() - started
    sides[0]()
    found = measure.in_turn(*sides, pairs)
    kept = found.row(1)
    return {"library_s": kept["plain_s"], "tried_s": kept["ours_s"], "first_s": first} | {
        name: kept[name] for name in ("ratio", "ratio_low", "ratio_high", "pairs")
    }


if __name__ == "__main__":
    run_command(main)
