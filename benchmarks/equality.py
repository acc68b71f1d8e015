"""After twenty steps from the same weights on the same batches, both programs have the same weights and predictions."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from benchmarks import measure, reference, table, workload
from benchmarks.options import Device, Precision, Threads, command
from benchmarks.workload import QGR, Sizes, draws
from grmp.finetune import finetune
from grmp.metrics import srcc
from grmp.runtime import Runtime
from study.command import run_command


@dataclass(frozen=True)
class Agreement:
    """Of both programs: relative differences, and the SRCC of either's predictions with the scores.

    `weights`: of all trained weights as one vector; `worst_tensor`: the largest of any tensor by itself; `learned`: of
    what was learned, weights less start, as one vector.
    """

    weights: float
    worst_tensor: float
    learned: float
    plain_srcc: float
    ours_srcc: float


def agreement(sizes: Sizes, test: int, plainly: Runtime, on: Runtime) -> Agreement:
    """Fine-tune from the same start by both, and predict `test` other images whose scores are random."""
    model = workload.make_model(sizes).to(on.device)
    plain, start = workload.as_reference(model), copy.deepcopy(model)
    images, unseen = workload.pictures(sizes.labels, sizes), workload.pictures(test, sizes, seed=5)
    labelled = workload.labelled_of(model, images, sizes.blocks, on)
    kept = workload.tokens_of(model, unseen, sizes.blocks, on)
    reference.finetune(plain, images, labelled.scores, sizes.finetune, QGR, plainly, draws(4))
    outcome = finetune(model, labelled, kept, sizes.finetune, QGR, on, draws(4), "ours")
    truth, tuned = workload.scores(test, seed=6).numpy(), list(model.tuned_parameters(sizes.blocks))
    return Agreement(
        weights=difference(plain, model, tuned),
        worst_tensor=max(difference(plain, model, [name]) for name in tuned),
        learned=difference(plain, model, tuned, start),
        plain_srcc=srcc(reference.predict(plain.eval(), unseen, plainly, 32).numpy(), truth),
        ours_srcc=srcc(outcome.predictions[-1].numpy(), truth),
    )


def difference(one: nn.Module, other: nn.Module, names: Iterable[str], start: nn.Module | None = None) -> float:
    """`|a - b| / |a|` of the named weights as one vector, or `|a - b| / |a - start|` where there is a `start`.

    The bias of the keys is left out. Softmax ignores it, so its true gradient is zero, and what Adam makes of the
    rounding noise in its place is a step of full size in a direction of chance.
    """
    a, b = (_vector(model, names) for model in (one, other))
    return float((a - b).norm() / (a if start is None else a - _vector(start, names)).norm())


def _vector(model: nn.Module, names: Iterable[str]) -> Tensor:
    return torch.cat([_meant(name, model.get_parameter(name)).flatten() for name in names]).double()


def _meant(name: str, value: Tensor) -> Tensor:
    if not name.endswith("in_proj_bias"):
        return value.detach()
    query, _, values = value.detach().chunk(3)
    return torch.cat([query, values])


def main(
    blocks: Annotated[int, typer.Option(help="trained last blocks of either tower")] = 4,
    batch: Annotated[int, typer.Option(help="images per step")] = 4,
    labels: Annotated[int, typer.Option(help="labelled images")] = 8,
    steps: Annotated[int, typer.Option(help="steps of fine-tuning")] = 20,
    tokens: Annotated[int, typer.Option(help="image prompt tokens per block")] = 100,
    image: Annotated[int, typer.Option(help="pixels")] = 224,
    test: Annotated[int, typer.Option(help="test images")] = 16,
    precision: Precision = "fp32",
    plain_precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Measure one row of the table of equality."""
    sizes = Sizes(labels=labels, batch=batch, blocks=blocks, tokens=tokens, image=image, steps=steps)
    on, plainly = (workload.runtime(device, each, threads) for each in (precision, plain_precision))
    found = agreement(sizes, test, plainly, on)
    about = {"plain": plainly.precision, "ours": on.precision, "blocks": blocks, "batch": batch, "steps": steps}
    table.keep("equality", command(), {**measure.machine(on), **about, **vars(found)})


if __name__ == "__main__":
    run_command(main)
