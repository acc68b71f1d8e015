"""Evaluation after fine-tuning: all of both towers for each test image, against the last blocks from kept tokens."""

from typing import Annotated

import typer

from benchmarks import measure, reference, table, workload
from benchmarks.options import Device, Pairs, Precision, Threads, command
from benchmarks.workload import Sizes
from grmp.finetune import predict
from grmp.metrics import srcc
from grmp.model import first_trained_block
from study.command import run_command

BATCH = 32
THOUSAND = 1000


def main(
    images: Annotated[int, typer.Option(help="test images that are timed; seconds are given per 1,000")] = 32,
    blocks: Annotated[int, typer.Option(help="trained last blocks")] = 4,
    tokens: Annotated[int, typer.Option(help="image prompt tokens per block")] = 100,
    image: Annotated[int, typer.Option(help="pixels")] = 224,
    precision: Precision = "fp32",
    plain_precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = 2,
    pairs: Pairs = 3,
) -> None:
    """Measure one row of the table of evaluations."""
    sizes = Sizes(labels=images, blocks=blocks, tokens=tokens, image=image)
    on, plainly = (workload.runtime(device, each, threads) for each in (precision, plain_precision))
    model = workload.make_model(sizes).to(on.device)
    plain, pictures = workload.as_reference(model).eval(), workload.pictures(images, sizes)
    frozen = measure.seconds(lambda: workload.tokens_of(model, pictures, blocks, on))
    kept, block = workload.tokens_of(model, pictures, blocks, on), first_trained_block(model, blocks)
    predictions = {}

    def plainly_predicted() -> None:
        predictions["plain"] = reference.predict(plain, pictures, plainly, BATCH)

    def ours_predicted() -> None:
        predictions["ours"] = predict(model, kept, block, on, BATCH)

    sides = (plainly_predicted, ours_predicted)
    work = [measure.flops(side) for side in sides]  # which also warms up
    found = measure.in_turn(*sides, pairs).row(images)
    scale = THOUSAND / images
    row = {
        **measure.machine(on),
        "plain": plainly.precision,
        "ours": on.precision,
        "blocks": blocks,
        "tokens": tokens,
        "image": image,
        **found,
        "plain_s": found["plain_s"] * scale,
        "ours_s": found["ours_s"] * scale,
        "frozen_once_s": frozen * scale,
        "plain_TFLOP": work[0] * scale / 1e12,
        "ours_TFLOP": work[1] * scale / 1e12,
        "srcc_of_both": srcc(predictions["plain"].numpy(), predictions["ours"].numpy()),
    }
    table.keep("evaluate", command(), row)


if __name__ == "__main__":
    run_command(main)
