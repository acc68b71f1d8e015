"""The process that stages and kernels are forked from while a study is under way: it imports once what they need.

It computes nothing itself, so that neither a thread at work nor a GPU stands in a fork's way. Sets are in the same
order in every fork, as in kernels everywhere (`grmp.kernel.ENVIRONMENT`).
"""

import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from setproctitle import setproctitle

from grmp.forked import LARGEST, STREAMS, VARIABLE, Request
from grmp.kernel import ENVIRONMENT
from grmp.orphans import end_descendants, end_with_parent
from grmp.quick_exit import quick_exit

SOCKET = "forkserver.sock"
LONGEST_PATH = 100  # bytes that a socket's path may have
PAUSE = 0.02  # seconds between two looks at the forks
LONGEST_SILENCE = 1.0  # seconds between a connection and its request
NEEDED = {
    "grmp.kernel": [
        "ipykernel.kernelapp",
        "grmp.cells",
        "grmp.curves",
        "grmp.pretrain",
        "grmp.provenance",
    ]
}
"""What a module imports while it runs, besides what stands at its top: here, for the notebooks."""

Children = dict[int, socket.socket]


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """A server for the processes that this one starts, its socket in `folder`.

    None where the path is too long for a socket, or the system is not Linux: others' libraries do not bear a fork.
    """
    path = os.path.abspath(folder / SOCKET)
    if len(os.fsencode(path)) > LONGEST_PATH or sys.platform != "linux":
        yield
        return
    # Titles then stay within the command line's own bytes, and spare those of the environment, by which others find us.
    environment = {**os.environ, **ENVIRONMENT, VARIABLE: path, "SPT_NOENV": "1"}
    command = [sys.executable, "-m", "grmp.forkserver"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as server:
        os.environ[VARIABLE] = path
        try:
            yield
        finally:
            server.kill()
            os.environ.pop(VARIABLE, None)
            Path(path).unlink(missing_ok=True)


def listen(path: str) -> socket.socket:
    """A socket at `path`, for this user alone, in the place of what a killed server left there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o600)  # before it listens: nobody else has ever been able to connect
    listener.listen()
    return listener


def serve(listener: socket.socket) -> tuple[Request, socket.socket]:
    """Fork as asked, for ever. Returns in every fork: what it is to be, and the connection to whom it belongs."""
    children: Children = {}
    sources = _sources()
    listener.settimeout(PAUSE)
    while True:
        _tell_ends(children)
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        text, streams = _receive(connection)
        request = _read(text, sources)
        pid = os.fork() if request and _waits(connection) else None
        if pid == 0:
            listener.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        if pid == 0:
            return request, connection
        if pid is None:
            connection.close()
        else:
            children[pid] = connection
            with suppress(OSError):  # who asked has gone just now, and the fork ends itself
                connection.send(json.dumps({"pid": pid}).encode())


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """What was sent, with the streams; nothing where nothing comes, as one who sleeps must not stop all others."""
    connection.settimeout(LONGEST_SILENCE)
    try:
        text, streams, _, _ = socket.recv_fds(connection, LARGEST, STREAMS)
    except OSError:
        return b"", []
    finally:
        connection.settimeout(None)
    return text, streams


def _waits(connection: socket.socket) -> bool:
    """Whether who asked is still there: imports take long, and a fork for nobody would work beside a fresh start."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _read(text: bytes, sources: list[tuple[str, int, int]]) -> Request | None:
    """What is asked for, with its module imported; None where who asked shall start afresh, and hear what is wrong."""
    try:
        request = Request(**json.loads(text))
        for name in (request.module, *NEEDED.get(request.module, [])):
            importlib.import_module(name)
    except (Exception, SystemExit):
        return None
    return request if _sources() == sources else None


def _sources() -> list[tuple[str, int, int]]:
    """Name, time and size of every file of the package."""
    found = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        with suppress(FileNotFoundError):  # it has gone just now
            found.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return found


def _tell_ends(children: Children) -> None:
    for pid in list(children):
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            told = {"status": os.waitstatus_to_exitcode(status), "peak": usage.ru_maxrss}
            with suppress(OSError):  # nobody waits for it any more
                children[pid].send(json.dumps(told).encode())
            children.pop(pid).close()


def become(request: Request, connection: socket.socket, server: int) -> None:
    """Turn a fork into what was asked for; it ends with who asked, and with the server."""
    end_with_parent(server)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    os.setsid()
    os.chdir(request.folder)
    sys.path[0] = request.folder
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.module, *request.arguments]
    setproctitle(" ".join(["python -m", *sys.argv]))
    del sys.modules[request.module]  # it runs as __main__, as it would afresh
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def _end_with(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1)  # nothing ever comes
    end_descendants()
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve at the socket that the environment names, as long as the parent lives."""
    end_with_parent()
    server = os.getpid()
    setproctitle(f"python -m {__spec__.name}")  # looks for its place, once, behind an environment that is still whole
    with quick_exit():
        become(*serve(listen(os.environ[VARIABLE])), server=server)


if __name__ == "__main__":
    main()
