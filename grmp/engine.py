"""What runs pieces of work: this process, a process per core, or the machines of a Ray cluster.

A piece is a function and its arguments and depends on nothing else, so that every engine gives the same results.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

import cv2
import joblib
import torch

from grmp import place
from grmp.errors import UserError
from grmp.orphans import end_with_pool
from grmp.runtime import Runtime

Piece = tuple[Any, ...]
Result = TypeVar("Result")
Handle = TypeVar("Handle")


class Engine(Protocol):
    """Runs a function on many pieces."""

    def share(self, value: Any) -> Any:
        """What to put into pieces in the place of `value`, which many of them need: it travels once, not with each."""

    def run(self, function: Callable[..., Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """`function(*piece)` for every piece, in the pieces' order, each as soon as it and those before it are there.

        Raises:
            UserError: what the function raises, or a cluster that cannot be reached or lost a piece too often.
        """


class Here:
    """One piece after the other, in this process: for pieces that use all threads themselves."""

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def run(self, function: Callable[..., Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """As `Engine.run`."""
        return (function(*piece) for piece in pieces)


class Processes(Here):
    """A process per core: for pieces that use one thread each.

    Args:
        pool: its processes.
        cores: how many they are.
    """

    def __init__(self, pool: ProcessPoolExecutor, cores: int) -> None:
        self.pool, self.cores = pool, cores

    def run(self, function: Callable[..., Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """As `Engine.run`."""
        jobs = started_ahead(partial(self.pool.submit, function), pieces, 4 * self.cores)
        return (job.result() for job in jobs)


def started_ahead(start: Callable[..., Handle], pieces: Iterable[Piece], ahead: int) -> Iterator[Handle]:
    """Start every piece, and yield what that gives in order, each when `ahead` more are started.

    Of a million pieces only so many wait in memory.
    """
    waiting: deque[Handle] = deque()
    for piece in pieces:
        waiting.append(start(*piece))
        if len(waiting) > ahead:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def one_by_one(runtime: Runtime) -> AbstractContextManager[Engine]:
    """For pieces that use the threads and the device of `runtime`: here in turn, or each on a machine of the cluster.

    Raises:
        UserError: on entering, where the cluster cannot be reached.
    """
    if place.chosen().on_cluster:
        return _cluster(torch.get_num_threads(), int(runtime.device.type == "cuda"))
    return nullcontext(Here())


def side_by_side() -> AbstractContextManager[Engine]:
    """For pieces that use one thread each: a process per core here, or all cores of the cluster.

    Raises:
        UserError: on entering, where the cluster cannot be reached; later, where a process was killed.
    """
    return _cluster(threads=1, gpus=0) if place.chosen().on_cluster else _processes()


@contextmanager
def _processes() -> Iterator[Processes]:
    # Fresh ones, all ready to start: a fork would inherit locks of the parent's thread pools and could wait on them for
    # ever.
    cores = joblib.cpu_count()  # those that this process may use, which may be fewer than the machine has
    try:
        with ProcessPoolExecutor(cores, get_context("spawn"), initializer=_start_worker) as pool:
            list(pool.map(abs, range(cores)))
            yield Processes(pool, cores)
    except BrokenProcessPool:
        raise UserError(f"one of {cores} worker processes was killed, most often for want of memory") from None


def _start_worker() -> None:
    end_with_pool()
    set_threads(1)


def set_threads(threads: int) -> None:
    """So many threads for the numerical libraries of this process; their number is part of a result's last digits."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _cluster(threads: int, gpus: int) -> AbstractContextManager[Engine]:
    # Here, as Ray is an extra of its own and takes a second to import.
    from grmp.cluster import open_cluster

    return open_cluster(place.chosen().address, threads, gpus)
