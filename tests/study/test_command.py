"""How a command ends: interrupted, by a mistake of the user's, or with the process that started it."""

import subprocess
import sys

import psutil
import pytest
from conftest import ROOT


@pytest.mark.parametrize(("error", "told"), [("KeyboardInterrupt", False), ("ValueError", True)])
def test_ctrl_c_while_a_command_imports_is_told_without_a_traceback(error: str, told: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import study; raise {error}"], cwd=ROOT, capture_output=True, text=True
    )
    assert ("Traceback" in done.stderr) is told
    assert ("interrupted" in done.stderr) is not told
    assert done.returncode != 0


def test_what_the_user_can_mend_ends_in_one_line() -> None:
    code = """
from grmp.errors import UserError
from study.command import run_command
def main() -> None:
    raise UserError("params.yaml: a remedy")
run_command(main)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: params.yaml: a remedy\n")


def test_a_command_ends_with_the_process_that_started_it() -> None:
    child = "import os, time; from study.command import end_with_parent as e; e(); print(os.getpid()); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-uc', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        left = psutil.Process(int(started.stdout.readline()))
        started.kill()
        psutil.wait_procs([left], timeout=20)
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
