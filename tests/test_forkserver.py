"""The server and those who ask it for forks: `grmp.forkserver`, `grmp.forked`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import nbformat
import psutil
import pytest
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grmp.forked import VARIABLE, Forked, Request, fork
from grmp.forkserver import SOCKET, kept

WORK = """
import os, sys, time
if __name__ == "__main__":
    print("work", os.getpid(), os.getppid(), sys.argv[1:], os.getcwd(), os.environ.get("COLOUR"), __name__, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(60)
    if sys.argv[1] == "fail":
        raise ValueError("as asked")
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the module `work`, which every process started from here finds."""
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def wait_for_server(folder: Path) -> None:
    limit = time.monotonic() + 20
    while not (folder / SOCKET).is_socket():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def server(folder: Path) -> Iterator[psutil.Process]:
    """A server, once it listens."""
    before = set(psutil.Process().children())
    with kept(folder):
        wait_for_server(folder)
        (process,) = set(psutil.Process().children()) - before
        yield process


def start(*arguments: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "grmp.forked", "work", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, **options)


def run(*arguments: str, folder: Path, **environment: str) -> tuple[list[str], str, int]:
    """Words on stdout, stderr and exit status."""
    with start(*arguments, folder=folder, **environment) as process:
        out, errors = process.communicate(timeout=60)
    return out.split(), errors, process.returncode


def works(number: int) -> bool:
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def wait_until_gone(*numbers: int, seconds: float = 3) -> None:
    limit = time.monotonic() + seconds
    while any(map(works, numbers)):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_fork_is_what_was_asked_for(server: psutil.Process, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    words, errors, status = run("3", "b c", folder=folder / "elsewhere", COLOUR="green")
    assert status == 3
    assert errors == ""
    assert int(words[2]) == server.pid
    assert words[3:] == ["['3',", "'b", "c']", str(folder / "elsewhere"), "green", "__main__"]
    words, errors, status = run("0", folder=folder)
    assert (words[2], words[5], status) == (str(server.pid), "None", 0)  # the next one has nothing of the first


def test_without_a_server_the_same_comes_afresh(folder: Path) -> None:
    words, errors, status = run("3", "b c", folder=folder, COLOUR="green")
    assert status == 3
    assert errors == ""
    assert words[3:] == ["['3',", "'b", "c']", str(folder), "green", "__main__"]
    assert int(words[2]) == os.getpid()


@pytest.mark.parametrize("forked", [True, False])
def test_a_failure_looks_the_same(folder: Path, forked: bool, request: pytest.FixtureRequest) -> None:
    if forked:
        request.getfixturevalue("server")
    words, errors, status = run("fail", folder=folder)
    assert words[0] == "work"
    assert status == 1
    assert errors.startswith("Traceback (most recent call last):")
    assert errors.endswith("ValueError: as asked\n")


def test_a_module_that_cannot_be_imported_says_so_itself(server: psutil.Process, folder: Path) -> None:
    (folder / "work.py").write_text("import nothing_of_that_name", encoding="utf-8")
    words, errors, status = run("0", folder=folder)
    assert words == []
    assert "No module named 'nothing_of_that_name'" in errors
    assert status == 1
    assert server.is_running()


def test_a_fork_ends_with_who_asked(server: psutil.Process, folder: Path) -> None:
    with start("wait", folder=folder) as process:
        number = int(process.stdout.readline().split()[1])
        process.kill()
    wait_until_gone(number)
    assert run("0", folder=folder)[2] == 0


def test_forks_end_with_the_server_and_it_with_its_parent(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from grmp.forkserver import kept\n"
        "with kept(Path(sys.argv[1])):\n    print('kept', flush=True)\n    time.sleep(60)"
    )
    options = {"stdout": subprocess.PIPE, "text": True, "env": dict(os.environ)}
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], **options) as parent:
        assert parent.stdout.readline() == "kept\n"
        (server,) = psutil.Process(parent.pid).children()
        wait_for_server(folder)
        with start("wait", folder=folder, **{VARIABLE: str(folder / SOCKET)}) as process:
            number = int(process.stdout.readline().split()[1])
            assert psutil.Process(number).ppid() == server.pid
            parent.kill()
            _, errors = process.communicate(timeout=10)
    wait_until_gone(server.pid, number)
    assert process.returncode == 128 + signal.SIGKILL
    assert errors == ""


def test_a_killed_fork_tells_its_signal(server: psutil.Process, folder: Path) -> None:
    with start("wait", folder=folder) as process:
        os.kill(int(process.stdout.readline().split()[1]), signal.SIGKILL)
        process.communicate(timeout=10)
    assert process.returncode == 137  # as a shell, and DVC, know it


def test_after_an_edit_of_the_package_modules_start_afresh(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path_factory.mktemp("copy") / "grmp"
    shutil.copytree(ROOT / "grmp", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", f"{package.parent}{os.pathsep}{folder}")
    monkeypatch.chdir(package.parent)  # the server's own package is the copy
    with kept(folder):
        wait_for_server(folder)
        assert int(run("0", folder=package.parent)[0][2]) != os.getpid()
        (package / "paths.py").write_text("# edited\n", encoding="utf-8")
        assert int(run("0", folder=package.parent)[0][2]) == os.getpid()


def test_the_socket_is_for_its_user_alone(server: psutil.Process, folder: Path) -> None:
    assert (folder / SOCKET).stat().st_mode & 0o777 == 0o600


def test_what_a_killed_server_left_is_no_bar(folder: Path) -> None:
    (folder / SOCKET).touch()
    with kept(folder):
        wait_for_server(folder)
        assert int(run("0", folder=folder)[0][2]) != os.getpid()
    assert not (folder / SOCKET).exists()


def test_a_path_too_long_for_a_socket_does_without(folder: Path) -> None:
    deep = folder / ("d" * 100)
    deep.mkdir()
    with kept(deep):
        assert VARIABLE not in os.environ
        assert run("0", folder=folder)[2] == 0


def test_a_fork_shows_itself_as_a_process(server: psutil.Process, folder: Path) -> None:
    process = fork(Request("work", ["wait"], str(folder), dict(os.environ)))
    assert isinstance(process, Forked)
    assert process.poll() is None
    with pytest.raises(TimeoutExpired):
        process.wait(0.05)
    limit = time.monotonic() + 10
    while not " ".join(psutil.Process(process.pid).cmdline()).startswith("python -m work"):
        assert time.monotonic() < limit
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    assert process.poll() == process.returncode == -signal.SIGTERM
    assert process.peak > 1000  # kilobytes
    process.kill()  # does nothing to who has ended


def test_who_has_gone_before_the_answer_gets_no_fork_and_disturbs_nobody(server: psutil.Process, folder: Path) -> None:
    with start("wait", folder=folder) as at_work:
        number = int(at_work.stdout.readline().split()[1])
        server.suspend()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as gone:
            gone.connect(str(folder / SOCKET))
            request = {"module": "work", "arguments": ["wait"], "folder": str(folder), "environment": {}}
            gone.send(json.dumps(request).encode())
        server.resume()
        assert run("0", folder=folder)[0][2] == str(server.pid)
        assert [child.pid for child in server.children() if works(child.pid)] == [number]
        at_work.kill()


def test_who_asks_for_nothing_holds_nobody_up_for_long(server: psutil.Process, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(str(folder / SOCKET))
        assert run("0", folder=folder)[0][2] == str(server.pid)


def test_a_module_that_ends_its_importer_does_not_end_the_server(server: psutil.Process, folder: Path) -> None:
    (folder / "work.py").write_text("raise SystemExit(3)", encoding="utf-8")
    assert run("0", folder=folder)[2] == 3
    assert works(server.pid)


def test_forks_end_with_a_server_that_was_killed(server: psutil.Process, folder: Path) -> None:
    with start("wait", folder=folder) as process:
        number = int(process.stdout.readline().split()[1])
        server.kill()
        process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGKILL
    wait_until_gone(number)


def test_a_notebook_comes_out_with_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from grmp import execution
    from grmp.notebook import run_notebook

    monkeypatch.undo()
    monkeypatch.chdir(folder)
    cells = [
        new_code_cell("a: int = 1", metadata={"tags": ["parameters"]}),
        new_markdown_cell("# Figures"),
        new_code_cell("import seaborn as sns, torch\naxes = sns.lineplot(x=[1, 2], y=[a, 3])\naxes.figure"),
        new_code_cell("print({'one', 'two', 'three'}); torch.arange(12.).view(3, 4) @ torch.ones(4)"),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "a.ipynb")
    made = []
    monkeypatch.setattr(execution, "fork", lambda request: made.append(fork(request)) or made[-1])
    run_notebook(folder / "a.ipynb", folder / "afresh.ipynb", {"a": 2})
    with kept(folder):
        wait_for_server(folder)
        run_notebook(folder / "a.ipynb", folder / "forked.ipynb", {"a": 2})
    assert [type(process) for process in made] == [type(None), Forked]
    for suffix in (".ipynb", ".html"):
        afresh, forked = ((folder / name).with_suffix(suffix).read_text() for name in ("afresh", "forked"))
        assert afresh.replace("afresh", "forked") == forked
    assert "image/png" in (folder / "forked.ipynb").read_text()
