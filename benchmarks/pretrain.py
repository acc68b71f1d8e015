"""A step of meta-pre-training: Reptile over tasks, the plain program against `grmp.meta.meta_gradient`."""

from typing import Annotated

import torch
import typer

from benchmarks import measure, reference, table, workload
from benchmarks.equality import difference
from benchmarks.options import Device, Pairs, Precision, Threads, command
from benchmarks.workload import Sizes
from grmp.meta import Inner, Task, meta_gradient
from grmp.model import PromptedCLIP
from grmp.pretrain import Batch, make_loss
from grmp.runtime import Runtime
from grmp.settings import Pretrain
from study.command import run_command

Bytes = tuple[torch.Tensor, torch.Tensor]
"""Images as bytes, and their scores."""


SETTINGS = Pretrain(
    source="",
    algorithm="reptile",
    outer_steps=1,
    tasks=1,
    support=1,
    query=1,
    inner_steps=1,
    inner_optimiser="adam",
    inner_rate=1e-4,
    outer_rate=1e-2,
    query_share=0.2,
    mixtures=False,
    patches=1.0,
    draw=1,
)
"""The published rates; how many tasks and images there are is what the tasks themselves say."""


def make_tasks(count: int, support: int, query: int, sizes: Sizes) -> list[tuple[Bytes, Bytes]]:
    """Support and query batches of `count` tasks."""

    def batch(size: int, seed: int) -> Bytes:
        return workload.pictures(size, sizes, seed)[:, 0], workload.scores(size, seed)

    return [(batch(support, 2 * index), batch(query, 2 * index + 1)) for index in range(count)]


def our_step(model: PromptedCLIP, tasks: list[tuple[Bytes, Bytes]], settings: Pretrain, on: Runtime) -> None:
    """One outer step as `grmp.pretrain.pretrain` makes it."""
    prompts = model.train().prompt_parameters()
    made = [Task(*(Batch(images, scores) for images, scores in task)) for task in tasks]
    inner = Inner(settings.inner_steps, settings.inner_rate, settings.inner_optimiser)
    found = meta_gradient(make_loss(model, on), prompts, made, settings.algorithm, inner)
    with torch.no_grad():
        for name, prompt in prompts.items():
            prompt -= settings.outer_rate * found.gradient[name]


def main(
    tasks: Annotated[int, typer.Option(help="distortion types per outer step")] = 1,
    support: Annotated[int, typer.Option(help="images per support batch; the paper's 75")] = 8,
    query: Annotated[int, typer.Option(help="images per query batch; the paper's 50")] = 8,
    tokens: Annotated[int, typer.Option(help="image prompt tokens per block")] = 100,
    image: Annotated[int, typer.Option(help="pixels")] = 224,
    precision: Precision = "fp32",
    plain_precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = 2,
    pairs: Pairs = 3,
) -> None:
    """Measure one row of the table of meta-pre-training steps."""
    sizes = Sizes(tokens=tokens, image=image)
    on, plainly = (workload.runtime(device, each, threads) for each in (precision, plain_precision))
    model = workload.make_model(sizes).to(on.device)
    plain, made = workload.as_reference(model), make_tasks(tasks, support, query, sizes)
    sides = (
        lambda: reference.pretrain_step(plain, made, SETTINGS, plainly),
        lambda: our_step(model, made, SETTINGS, on),
    )
    work = [measure.flops(side) for side in sides]  # which also warms up
    found = measure.in_turn(*sides, pairs).row(tasks * (support + query))
    differ = difference(plain, model, list(model.prompt_parameters()))  # both have made as many steps
    row = {
        **measure.machine(on),
        "plain": plainly.precision,
        "ours": on.precision,
        "tasks": tasks,
        "support": support,
        "query": query,
        "tokens": tokens,
        "image": image,
        **found,
        "plain_TFLOP": work[0] / 1e12,
        "ours_TFLOP": work[1] / 1e12,
        "ours_utilisation": work[1] / found["ours_s"] / measure.ceiling(on),
        "prompts_differ": differ,
    }
    table.keep("pretrain", command(), row)


if __name__ == "__main__":
    run_command(main)
