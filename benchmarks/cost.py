"""Cost against work: seconds of a whole run of ours, with one size changed at a time."""

import copy

from benchmarks import measure, table, workload
from benchmarks.finetune import our_run
from benchmarks.options import Device, Precision, Threads, command
from benchmarks.workload import Sizes
from study.command import run_command

START = {"steps": 20, "labels": 16, "tokens": 8, "image": 160, "repeats": 1, "blocks": 1}
"""The sizes of the repository's params.yaml, but for the labels."""
CHANGES = {
    "steps": (10, 40),
    "labels": (8, 50),
    "tokens": (0, 100),
    "image": (96, 224),
    "repeats": (2, 4),
    "blocks": (2, 4),
}


def variations() -> list[dict[str, int]]:
    """The start, then each size by itself smaller or larger."""
    return [START, *(START | {name: value} for name, values in CHANGES.items() for value in values)]


def costs(values: dict[str, int], compute: tuple[str, str, int]) -> dict[str, float]:
    """Seconds of the frozen blocks, once per set, and of fine-tuning, as often as there are repeats."""
    on, sizes = workload.runtime(*compute), Sizes(batch=16, **values)
    model, images = workload.make_model(sizes).to(on.device), workload.pictures(sizes.labels, sizes)
    kept = []
    frozen = measure.seconds(lambda: kept.append(workload.labelled_of(model, images, sizes.blocks, on)))

    def every_repeat() -> None:
        for _ in range(sizes.repeats):
            our_run(copy.deepcopy(model), kept[0], sizes, on)

    return {"frozen_s": frozen, "finetune_s": measure.seconds(every_repeat)}


def main(precision: Precision = "auto", device: Device = "auto", threads: Threads = 2) -> None:
    """Measure the whole table of costs; each row differs from the first in one size."""
    compute = (device, precision, threads)
    costs(START, compute)  # to warm up
    about = measure.machine(workload.runtime(*compute)) | {"ours": workload.runtime(*compute).precision}
    for values in variations():
        row = {"sizes": " ".join(f"{name}={value}" for name, value in values.items())}
        table.keep("cost", command(), about | row | values | costs(values, compute))


if __name__ == "__main__":
    run_command(main)
