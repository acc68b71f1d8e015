"""A fine-tuning step: the plain program against `grmp.finetune.finetune`, from the same weights, on the same batch."""

import copy
from typing import Annotated

import torch
import typer

from benchmarks import measure, reference, table, workload
from benchmarks.options import Device, Pairs, Precision, Threads, command
from benchmarks.workload import QGR, Sizes
from grmp.features import Features
from grmp.finetune import Labelled, finetune
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime, generator
from study.command import run_command


def plain_run(model: reference.Reference, images: torch.Tensor, sizes: Sizes, on: Runtime) -> None:
    """`sizes.steps` steps of the plain program; the weights move on."""
    labels = workload.scores(len(images))
    reference.finetune(model, images, labels, sizes.finetune, QGR, on, generator(4))


def our_run(model: PromptedCLIP, labelled: Labelled, sizes: Sizes, on: Runtime) -> None:
    """The same steps by the library, without test images."""
    none = Features(labelled.tokens[:0], labelled.tokens[:0, :, 0], labelled.weights)
    finetune(model, labelled, none, sizes.finetune, QGR, on, generator(4), "ours")


def random_tokens(sizes: Sizes, on: Runtime) -> Labelled:
    """Labelled images of no content, where memory alone counts."""
    vision = sizes.architecture["vision_cfg"]
    count = 1 + (sizes.image // vision["patch_size"]) ** 2
    tokens = torch.randn(sizes.labels, sizes.views, count, vision["width"], dtype=on.dtype)
    teacher, weights = torch.randn(sizes.labels, sizes.views, 9), torch.full((sizes.views,), 1 / sizes.views)
    return Labelled(tokens, workload.scores(sizes.labels), teacher, weights)


def plain_alone(sizes: Sizes, compute: tuple[str, str, int]) -> None:
    """The plain program in a process of its own, for its peak of memory."""
    on = workload.runtime(*compute)
    model = workload.as_reference(workload.make_model(sizes)).to(on.device)
    plain_run(model, workload.pictures(sizes.labels, sizes), sizes, on)


def ours_alone(sizes: Sizes, compute: tuple[str, str, int]) -> None:
    """The library's loop in a process of its own, from tokens as the stage `features` left them."""
    on = workload.runtime(*compute)
    our_run(workload.make_model(sizes).to(on.device), random_tokens(sizes, on), sizes, on)


def main(
    blocks: Annotated[int, typer.Option(help="trained last blocks of either tower; the paper's 4, our default 1")] = 4,
    batch: Annotated[int, typer.Option(help="labelled images per step; the paper's 192 means all 50")] = 16,
    tokens: Annotated[int, typer.Option(help="image prompt tokens per block")] = 100,
    image: Annotated[int, typer.Option(help="pixels")] = 224,
    precision: Precision = "fp32",
    plain_precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = 2,
    pairs: Pairs = 3,
) -> None:
    """Measure one row of the table of fine-tuning steps."""
    sizes = Sizes(labels=batch, batch=batch, blocks=blocks, tokens=tokens, image=image, steps=1)
    on, plainly = (workload.runtime(device, each, threads) for each in (precision, plain_precision))
    model = workload.make_model(sizes).to(on.device)
    plain, images = workload.as_reference(model), workload.pictures(batch, sizes)
    labelled = workload.labelled_of(model, images, blocks, on)
    ours = copy.deepcopy(model)
    sides = (lambda: plain_run(plain, images, sizes, plainly), lambda: our_run(ours, labelled, sizes, on))
    work = [measure.flops(side) for side in sides]  # which also warms up
    found = measure.in_turn(*sides, pairs).row(batch)
    computes = [(device, each.precision, threads) for each in (plainly, on)]
    row = {
        **measure.machine(on),
        "plain": plainly.precision,
        "ours": on.precision,
        "blocks": blocks,
        "batch": batch,
        "tokens": tokens,
        "image": image,
        **found,
        "plain_GiB": measure.peak_memory(plain_alone, sizes, computes[0]),
        "ours_GiB": measure.peak_memory(ours_alone, sizes, computes[1]),
        "plain_TFLOP": work[0] / 1e12,
        "ours_TFLOP": work[1] / 1e12,
        "ours_utilisation": work[1] / found["ours_s"] / measure.ceiling(on),
    }
    table.keep("finetune", command(), row)


if __name__ == "__main__":
    run_command(main)
