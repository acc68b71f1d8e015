"""A real Ray cluster on this machine: a head and workers, each with processes, ports and a raylet of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

STORE = 100_000_000  # bytes of each machine's object store
TRIALS = 3  # of starting a machine
RAY = (sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block")


class Machine:
    """One machine of the cluster: all processes of one `ray start`.

    Args:
        folder: of Ray's files; short, as the paths of its sockets may have 107 characters.
        number: from 0; each has an address of its own, which is of this machine alone. (Not 127.0.0.1: Ray would turn
            that into one that others can reach.)
        arguments: of `ray start`.
        environment: variables to add to this process's.
    """

    def __init__(self, folder: Path, number: int, arguments: list[str], environment: dict[str, str]) -> None:
        self.log = folder / f"{number}.log"
        place = [f"--node-ip-address={address(number)}", f"--temp-dir={folder}", f"--object-store-memory={STORE}"]
        ports = [f"--{name}-port=0" for name in ("min-worker", "max-worker", "dashboard-agent-listen")]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*RAY, *arguments, *place, *ports],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def starts(self) -> bool:
        """Wait until it is part of the cluster; false where it gave up, as Ray does after 30 s on a busy machine."""
        while "Ray runtime started" not in self.log.read_text():
            if self.process.poll() is not None:
                return False
            time.sleep(0.1)
        return True

    def members(self) -> list[psutil.Process]:
        """All its processes, those that have lost their parent too: they share its session."""
        return [process for process in psutil.process_iter(["name"]) if _session(process) == self.process.pid]

    def has(self, pid: int) -> bool:
        """Whether this is one of its processes."""
        return pid in {process.pid for process in self.members()}

    def kill_raylet(self) -> None:
        """What a power cut is to a machine of a cluster: without its raylet none of its processes can go on."""
        next(process for process in self.members() if process.info["name"] == "raylet").kill()

    def end(self) -> None:
        """End every process, by its id."""
        for process in self.members():
            process.kill()
        self.process.wait()


def address(number: int) -> str:
    """The loopback address of a machine."""
    return f"127.0.0.{2 + number}"


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((address(0), 0))
        return taken.getsockname()[1]


def _start(folder: Path, *given: Any) -> Machine:
    for _ in range(TRIALS):
        machine = Machine(folder, *given)
        if machine.starts():
            return machine
        machine.end()
    raise AssertionError(f"no machine of the cluster after {TRIALS} trials: {machine.log.read_text()[-2000:]}")


@contextmanager
def local_cluster(workers: int) -> Iterator[tuple[str, dict[str, str], list[Machine]]]:
    """A head without cores, and workers with one core each: its address, the environment to use it, and the workers."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    # Whoever can reach a cluster can run code on it; here that would be the other users of this machine.
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment |= {"RAY_health_check_period_ms": "500", "RAY_health_check_initial_delay_ms": "0"}  # a death shows soon
    head = f"{address(0)}:{_free_port()}"
    own = ["--head", f"--port={head.rpartition(':')[2]}", "--num-cpus=0", "--include-dashboard=false"]
    joins = [f"--address={head}", "--num-cpus=1"]
    machines: list[Machine] = []
    try:
        for number in range(1 + workers):  # one after the other: two that start in one folder can block each other
            machines.append(_start(folder, number, joins if number else own, environment))
        yield head, environment, machines[1:]
    finally:
        for machine in reversed(machines):
            machine.end()
        shutil.rmtree(folder, ignore_errors=True)
