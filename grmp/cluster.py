"""Pieces of work on the machines of a Ray cluster (Moritz et al., OSDI 2018).

Workers need this environment's packages, and neither a checkout nor a shared folder: the library travels from here, and
what pieces need goes through Ray's object store. A piece whose machine dies is done again on another one.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

from grmp.engine import Piece, Result, set_threads, started_ahead
from grmp.errors import UserError
from grmp.progress import MARK

AHEAD = 1000  # pieces that wait at the cluster: enough for its machines to find work, few enough for its memory
RETRIES = 5  # a piece that takes its machine down with it should not go round for ever
SECONDS = 10  # for a cluster to answer


class Cluster:
    """The cluster to which this process is connected, as an engine.

    Args:
        threads: what a piece uses of a machine's processor.
        gpus: and of its GPUs.
    """

    def __init__(self, threads: int, gpus: int) -> None:
        self.threads, self.gpus = threads, gpus

    def share(self, value: Any) -> Any:
        """`value` in the object store; Ray hands a piece the value where the piece has what this returns."""
        import ray

        return ray.put(value)

    def run(self, function: Callable[..., Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """As `Engine.run`."""
        import ray

        work = ray.remote(num_cpus=self.threads, num_gpus=self.gpus, max_retries=RETRIES)(_work)
        return map(_result, started_ahead(partial(work.remote, self.threads, function), pieces, AHEAD))


def _work(threads: int, function: Callable[..., Result], *piece: Any) -> Result:
    set_threads(threads)
    return function(*piece)


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
def open_cluster(address: str | None, threads: int, gpus: int) -> Iterator[Cluster]:
    """Connect to the cluster at `address`, or start one on this machine, for pieces of so many threads and GPUs.

    Raises:
        UserError: Ray is not installed, no cluster answers, or none of its machines has room for a piece.
    """
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
        yield Cluster(threads, gpus)
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
    """A folder with the library alone. Without one, Ray has workers look for it at the path that it has here."""
    with TemporaryDirectory() as folder:
        copytree(Path(__file__).parent, Path(folder) / "grmp", ignore=ignore_patterns("__pycache__"))
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
