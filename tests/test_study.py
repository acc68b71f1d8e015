"""`python -m grmp.study` over a pipeline of one stage, at a process group of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

from grmp.paths import UNFINISHED, UNFINISHED_VARIABLE

STAGE = f"""
import os, pathlib, time
kept = pathlib.Path(os.environ["{UNFINISHED_VARIABLE}"])
kept.mkdir(parents=True, exist_ok=True)
runs = len(list(kept.iterdir()))
(kept / str(runs)).touch()
print("run", runs, os.getpid(), flush=True)
while not runs:
    time.sleep(0.1)
pathlib.Path("out").write_text("done")
"""
PIPELINE = "stages:\n  work:\n    cmd: python work.py\n    deps: [work.py]\n    outs: [out]\n"


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A stage that never ends on its first run, and goes on from it on its second."""
    for name, text in ((".dvc/config", "[core]\n    no_scm = true\n"), ("dvc.yaml", PIPELINE), ("work.py", STAGE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "DVC_NO_ANALYTICS": "1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-m", "grmp.study"], cwd=folder, env=environment, **options)


def wait_for_stage(process: subprocess.Popen[str]) -> int:
    """The number of the stage's process, once it is at work."""
    line = next(line for line in process.stdout if line.startswith("run "))
    return int(line.split()[2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_study_leaves_nobody_at_work_and_goes_on(pipeline: Path, number: signal.Signals) -> None:
    with start(pipeline) as process:
        stage = wait_for_stage(process)
        started = time.monotonic()
        (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
        _, errors = process.communicate(timeout=20)
        assert time.monotonic() - started < 3
    assert not psutil.pid_exists(stage) or psutil.Process(stage).status() == psutil.STATUS_ZOMBIE
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert errors == "\ninterrupted; `make study` goes on where it stopped\n"
    halves = [
        pipeline / name for name in (".dvc.lock.4194305.part", ".dvc/tmp/.rwlock.4194305.part")
    ]  # no such process
    for path in halves:
        path.touch()
    with start(pipeline) as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "run 1" in out  # it found what the first run had kept
    assert not any(path.exists() for path in halves)
    assert (pipeline / "out").read_text() == "done"
    assert not (pipeline / UNFINISHED).exists()


def test_a_failing_stage_keeps_what_is_unfinished_and_its_status_is_no_success(pipeline: Path) -> None:
    (pipeline / "work.py").write_text(STAGE.replace("while not runs:", "while 1 / 0:"), encoding="utf-8")
    with start(pipeline) as process:
        process.communicate(timeout=60)
    assert process.returncode not in (0, 130)
    assert (pipeline / UNFINISHED).is_dir()
