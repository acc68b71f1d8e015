"""Pieces of work side by side: on the cores of this machine (joblib), or on a Ray cluster (Moritz et al., OSDI 2018).

A piece is a function and its arguments and depends on nothing else, so that results are the same everywhere.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import cv2
import joblib
import torch

from grmp.errors import UserError
from grmp.progress import MARK
from study.command import end_with_parent
from study.running.engine import ADDRESS, ENGINE
from study.running.sources import ROOT

Piece = tuple[Any, ...]
Result = TypeVar("Result")
AHEAD = 1000  # pieces that wait at the cluster: enough for its machines to find work, few enough for its memory
RETRIES = 5  # a piece that takes its machine down with it should not go round for ever
SECONDS = 10  # for a cluster to answer


def run_pieces(
    function: Callable[..., Result],
    pieces: Iterable[Piece],
    shared: Any = None,
    threads: int | None = None,
    gpus: int = 0,
) -> Iterator[Result]:
    """`function(shared, *piece)` for every piece, in the pieces' order, each as soon as those before it are there.

    Args:
        function: what is done; it can be pickled.
        pieces: its other arguments.
        shared: what all pieces need; it travels once.
        threads: of this machine's processor that a piece uses; None: all that torch uses here, so that without a
            cluster one piece follows the other in this process.
        gpus: that a piece uses.

    Raises:
        UserError: what `function` raises; a process that was killed; a cluster that cannot be reached or that lost a
            piece too often.
    """
    if os.environ.get(ENGINE) == "ray":
        return _on_cluster(function, pieces, shared, threads or torch.get_num_threads(), gpus)
    if threads is None:
        return (function(shared, *piece) for piece in pieces)
    return _on_cores(function, pieces, shared, threads)


def _on_cores(function: Callable[..., Result], pieces: Iterable[Piece], shared: Any, threads: int) -> Iterator[Result]:
    work = (joblib.delayed(_work)(threads, function, shared, *piece) for piece in pieces)
    cores = joblib.cpu_count()  # those that this process may use, which may be fewer than the machine has
    # Workers would wait for ever for a process that was killed.
    options = {"initializer": end_with_parent, "initargs": (os.getpid(),), "batch_size": 1, "pre_dispatch": "4*n_jobs"}
    try:
        yield from joblib.Parallel(cores // threads or 1, return_as="generator", **options)(work)
    except BrokenProcessPool:
        raise UserError(f"one of {cores} worker processes was killed, most often for want of memory") from None


def _work(threads: int, function: Callable[..., Result], shared: Any, *piece: Any) -> Result:
    # The number of threads is part of a result's last digits.
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return function(shared, *piece)


def _on_cluster(
    function: Callable[..., Result], pieces: Iterable[Piece], shared: Any, threads: int, gpus: int
) -> Iterator[Result]:
    with _cluster(os.environ.get(ADDRESS) or None, threads, gpus):
        import ray  # an extra of its own, which takes a second to import

        work, value = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES)(_work), ray.put(shared)
        waiting: deque = deque()
        for piece in pieces:
            waiting.append(work.remote(threads, function, value, *piece))
            if len(waiting) > AHEAD:
                yield _result(waiting.popleft())
        yield from map(_result, waiting)


def _result(started: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(started)
    except RayTaskError as error:  # of the piece itself
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        raise
    except RayError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            "params.yaml: compute.engine: ray: the cluster could not do a piece of work, "
            f"tried up to {RETRIES + 1} times ({reason}); `ray status` shows its machines"
        ) from None


@contextmanager
def _cluster(address: str | None, threads: int, gpus: int) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError:
        raise UserError(
            "params.yaml: compute.engine: ray: Ray is not installed here; `pip install 'grmp[cluster]'`, or write local"
        ) from None
    try:
        _connect(address)
        check_room(threads, gpus)
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    import ray

    own = {"address": "local", "include_dashboard": False} if address is None else {"address": address}
    try:
        _knock(address)
        with _library() as folder:
            # What workers print would be the driver's, with their process ids, and so part of the report.
            ray.init(**own, runtime_env={"working_dir": folder}, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises what it likes: ConnectionError, RuntimeError, ValueError, Exception itself
        reason = " ".join(str(error).split())
        raise UserError(
            f"params.yaml: compute.address: {address or 'null'}: no Ray cluster can be used there ({reason}); "
            "`ray start --head` starts one, and null uses this machine alone"
        ) from None


@contextmanager
def _library() -> Iterator[str]:
    """A folder with both packages alone. Without one, Ray has workers look for it at the path that it has here."""
    with TemporaryDirectory() as folder:
        for package in ("grmp", "study"):
            copytree(ROOT / package, Path(folder) / package, ignore=ignore_patterns("__pycache__"))
        yield folder


def _knock(address: str | None) -> None:
    """Where nobody answers, Ray waits for a minute and then ends the whole process."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), SECONDS).close()


def check_room(threads: int, gpus: int) -> None:
    """Say how large the connected cluster is; Ray would wait for ever for a machine that is large enough.

    Raises:
        UserError: none of its machines has so many cores and GPUs.
    """
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    print(f"{MARK}ray: {len(machines)} machines, {sum(node.get('CPU', 0) for node in machines):g} cores", flush=True)
    if not any(node.get("CPU", 0) >= threads and node.get("GPU", 0) >= gpus for node in machines):
        raise UserError(
            f"params.yaml: compute: no machine of the Ray cluster has {threads} cores and {gpus} GPUs, which a piece "
            "needs (compute.threads, compute.device); `ray start --num-cpus --num-gpus` says what a machine offers"
        )
