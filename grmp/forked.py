"""`python -m grmp.forked MODULE ...`: as `python -m MODULE ...`, forked from a process that has imported it already.

torch and open_clip take longer to import than many a stage to run. While a study is under way, one process (see
`grmp.forkserver`) imports once what stages need, and they are forked from it. Where there is no such process, or a
source has changed since it imported it, the module is started afresh: the results are the same.
"""

import array
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from subprocess import TimeoutExpired
from typing import Any

VARIABLE = "GRMP_FORKSERVER"
"""Environment variable: the socket at which forks are asked for; not set where there is no server."""
STREAMS = 3  # stdin, stdout, stderr go along with a request
LARGEST = 2**20  # bytes of a request; an environment and a command line are far below
PATIENCE = 60.0  # seconds to wait for a fork, imports included, before starting afresh


@dataclass(frozen=True)
class Request:
    """What a forked process needs to be the one that was asked for."""

    module: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]


class Forked:
    """A forked process, as `subprocess.Popen` shows one; it ends with whoever holds this."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.peak = 0
        """The most memory it had, in the units of getrusage, once it has ended."""
        self._connection = connection

    def poll(self) -> int | None:
        """Exit status, negative the signal that ended it; None while it runs."""
        return self._read(0.0) if self.returncode is None else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, once it has ended.

        Raises:
            TimeoutExpired: it has not, after `timeout` seconds.
        """
        status = self._read(timeout) if self.returncode is None else self.returncode
        if status is None:
            raise TimeoutExpired(str(self.pid), timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read(self, timeout: float | None) -> int | None:
        self._connection.settimeout(timeout)
        try:
            answer = self._connection.recv(LARGEST)
        except (TimeoutError, BlockingIOError):
            return None
        # Forks end with the server.
        told = json.loads(answer) if answer else {"status": -signal.SIGKILL, "peak": 0}
        self.returncode, self.peak = told["status"], told["peak"]
        self._connection.close()
        return self.returncode


def fork(request: Request) -> Forked | None:
    """A process forked to run the module, with this one's streams; None where none is to be had."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", range(STREAMS)))]
        connection.sendmsg([json.dumps(asdict(request)).encode()], streams)
        pid = json.loads(connection.recv(LARGEST))["pid"]
    except (OSError, ValueError, KeyError):  # gone, or it does not want to
        connection.close()
        return None
    return Forked(connection, pid)


def run(module: str, arguments: list[str], afresh: Callable[[str, list[str]], Any] = os.execv) -> int:
    """Run the module to its end; its exit status, as a shell has it. Where no fork is to be had, become the module."""
    process = fork(Request(module, arguments, os.getcwd(), dict(os.environ)))
    if process is None:
        return afresh(sys.executable, [sys.executable, "-m", module, *arguments])
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
