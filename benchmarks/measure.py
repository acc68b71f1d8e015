"""How a comparison is measured: two sides in turn, in one process, so that a busy machine slows both alike."""

import gc
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from grmp.runtime import Runtime
from study.reports.device import device_name

CEILING_SIDE = {"cpu": 2048, "cuda": 8192}
"""Side of the square matrices whose product is the ceiling: large enough that no larger one is faster."""


@dataclass(frozen=True)
class Pairs:
    """Seconds of both sides, measured in turn."""

    plain: list[float]
    ours: list[float]

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, pair by pair."""
        return [plain / ours for plain, ours in zip(self.plain, self.ours, strict=True)]

    def row(self, items: int) -> dict[str, float]:
        """Medians, the ratio's median and quartiles, and `items` per second."""
        low, middle, high = quartiles(self.ratios)
        plain, ours = statistics.median(self.plain), statistics.median(self.ours)
        return {
            "plain_s": plain,
            "ours_s": ours,
            "ratio": middle,
            "ratio_low": low,
            "ratio_high": high,
            "pairs": len(self.plain),
            "plain_images_per_s": items / plain,
            "ours_images_per_s": items / ours,
        }


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes, to the end of what it started on a GPU."""
    _finish()
    started = time.perf_counter()
    work()
    _finish()
    return time.perf_counter() - started


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def in_turn(plain: Callable[[], object], ours: Callable[[], object], pairs: int) -> Pairs:
    """Both sides by turns: plain, ours, then ours, plain, and so on. Each must have run before, to be warm."""
    gc.collect()
    found: dict[Callable[[], object], list[float]] = {plain: [], ours: []}
    for index in range(pairs):
        for work in (plain, ours) if index % 2 == 0 else (ours, plain):
            found[work].append(seconds(work))
    return Pairs(found[plain], found[ours])


def flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products, convolutions and attention in `work`, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def ceiling(runtime: Runtime, repeats: int = 5) -> float:
    """Operations per second of a large matrix product, the best of `repeats`: what this device can reach at all."""
    side = CEILING_SIDE[runtime.device.type]
    one, other = (torch.randn(side, side, device=runtime.device, dtype=runtime.dtype) for _ in range(2))
    one @ other
    return 2 * side**3 / min(seconds(lambda: one @ other) for _ in range(repeats))


def peak_memory(work: Callable[..., None], *arguments: object) -> float:
    """Peak of a fresh process that does nothing but `work(*arguments)`, in GiB: of the GPU where it uses one.

    `work` must be a function of a module, as a fresh process has to find it by name.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_peak, work, *arguments).result()


def _peak(work: Callable[..., None], *arguments: object) -> float:
    work(*arguments)
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    # Not getrusage: its maximum is inherited from the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**20


def machine(runtime: Runtime) -> dict[str, str]:
    """The device, with its number of threads, and torch's version."""
    return {"device": device_name(str(runtime.device)), "torch": torch.__version__}
