import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from grmp.errors import UserError
from grmp.guard import LOCK, alone, explain
from grmp.repro import reproduce

PLENTY = 1e9


def test_a_second_study_does_not_start_and_is_told_who_is_at_work(tmp_path: Path) -> None:
    told = rf"a study is under way here already \(process {os.getpid()}\); it was not disturbed"
    with alone(tmp_path), pytest.raises(UserError, match=told), alone(tmp_path):
        pass


def test_after_the_first_the_second_may_start(tmp_path: Path) -> None:
    for _ in range(2):
        with alone(tmp_path / "new"):
            pass


def test_a_killed_study_leaves_no_lock(tmp_path: Path) -> None:
    code = "import os, pathlib, sys\nfrom grmp.guard import alone\n"
    code += "with alone(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert (tmp_path / LOCK).read_text() != ""
    with alone(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".dvc").write_text("")
    with (
        pytest.raises(UserError, match=r"study\.lock: cannot be written \(File exists\)"),
        alone(tmp_path / ".dvc"),
    ):
        pass


def test_an_error_inside_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone(tmp_path):
        raise FileNotFoundError


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_wherever_it_shows(code: int) -> None:
    chain = [RuntimeError("failed to reproduce"), OSError(code, os.strerror(code))]
    assert explain(chain, PLENTY).startswith("the disk is full (1000.0 MB left): make room")
    assert explain(chain[:1], 12e3).startswith("the disk is full (0.0 MB left): make room")


@pytest.mark.parametrize("status", [-9, 137])
def test_a_killed_stage_is_put_down_to_memory(status: int) -> None:
    assert "want of memory" in explain([RuntimeError(f"failed to run: python x, exited with {status}")], PLENTY)


@pytest.mark.parametrize("message", ["exited with 1", "exited with -9 or so", "exited with 1379"])
def test_other_failures_are_left_to_dvc(message: str) -> None:
    assert explain([RuntimeError(message), OSError(errno.EACCES, "Permission denied")], PLENTY) is None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / "artifacts").mkdir()
    return tmp_path


def test_it_runs_the_pipeline_and_returns_its_status(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (repository / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > artifacts/a, outs: [artifacts/a]}}")
    assert reproduce([]) == 0
    assert (repository / "artifacts/a").read_text() == "1\n"
    assert "error:" not in capfd.readouterr().err


def test_a_killed_stage_ends_in_a_line_and_takes_dvcs_strays_along(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "dvc.yaml").write_text("stages: {a: {cmd: 'kill -9 $$', outs: [artifacts/a]}}")
    for name in (".NCgNYsMX5dbpmdZNIHWPFQ.tmp", "mine.tmp"):
        (repository / "artifacts" / name).write_text("half")
    assert reproduce([]) != 0
    assert re.search(r"^error: the stage was killed from outside", capfd.readouterr().err, flags=re.MULTILINE)
    assert [path.name for path in (repository / "artifacts").iterdir()] == ["mine.tmp"]
