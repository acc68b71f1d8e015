"""The study on a machine with a fault: the user is told, and once it is gone `dvc repro` ends well.

Every fault is made for real, on a file system of its own in memory; that takes Linux and the right to mount.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from repro_run import RECOVERY, ReproRun
from tiny_clone import edit, make_clone, run

pytestmark = pytest.mark.long

SIZE = "400m"


def mount(*words: str | Path) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tiny study, run once, in a folder whose name needs quotes."""
    disk = tmp_path_factory.mktemp("disk")
    if not mount("-t", "tmpfs", "-o", f"size={SIZE}", "none", disk):
        pytest.skip("no right to mount a file system")
    try:
        folder = disk / "Größe über alles"
        folder.mkdir()
        make_clone(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LC_ALL", "C")
            done = run(folder, "dvc", "repro")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        for command in (["git", "add", "dvc.lock"], ["git", "commit", "-qm", "lock"]):
            assert run(folder, *command).returncode == 0
        yield folder
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def change(clone: Path, name: str) -> None:
    """Change a source without effect, so that the stages that depend on it run again."""
    with (clone / name).open("a", encoding="utf-8") as file:
        file.write(f"# change {time.time_ns()}\n")


def fill(clone: Path) -> Path:
    """Leave no room on the disk; the file that takes it."""
    ballast = clone.parent / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):  # what does not fit as a whole is written in part
            pass
    return ballast


def check_recovered(clone: Path) -> None:
    assert run(clone, "bash", "-c", RECOVERY).returncode == 0
    done = run(clone, "dvc", "repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "up to date" in run(clone, "dvc", "status").stdout
    strays = [path for folder in ("artifacts", "reports") for path in (clone / folder).rglob(".*.part")]
    assert not strays


def wait_for(started: ReproRun, text: str) -> None:
    end = time.monotonic() + 900
    while text not in started.text:
        assert started.process.poll() is None, started.text[-3000:]
        assert time.monotonic() < end, started.text[-3000:]
        time.sleep(0.02)


def test_a_full_disk_is_told_and_costs_nothing(clone: Path) -> None:
    change(clone, "study/reports/findings.py")
    started = ReproRun(clone, "full")
    wait_for(started, "Running stage 'ablation'")
    ballast = fill(clone)
    assert started.wait() != 0
    assert "No space left on device" in started.text
    ballast.unlink()
    check_recovered(clone)


def test_a_read_only_disk_is_told_and_costs_nothing(clone: Path) -> None:
    change(clone, "study/reports/index.py")
    assert mount("-o", "remount,ro", clone.parent)
    done = run(clone, "dvc", "repro")
    assert mount("-o", "remount,rw", clone.parent)
    assert done.returncode != 0
    assert "Read-only file system" in done.stdout + done.stderr
    check_recovered(clone)


def test_a_kernel_that_the_system_kills_is_told(clone: Path) -> None:
    change(clone, "study/reports/findings.py")
    started = ReproRun(clone, "kernel")
    wait_for(started, "Running stage 'ablation'")
    while not started.kernels():
        time.sleep(0.05)
    started.kill("kernel")
    assert started.wait() != 0
    assert "the kernel died, most often for want of memory" in started.text
    check_recovered(clone)


def test_want_of_memory_is_told_with_the_remedy(clone: Path) -> None:
    before = (clone / "params.yaml").read_bytes()
    edit(clone, {"image": {"views": [[48 + 16 * number, 1024] for number in range(24)]}})
    # About what Python and torch take by themselves.
    limited = 'ulimit -v 6000000; exec python -m study.stages.features "$0"'
    done = run(clone, "bash", "-c", limited, "artifacts/too_large")
    (clone / "params.yaml").write_bytes(before)
    assert done.returncode == 1
    assert "error: not enough memory" in done.stderr
    check_recovered(clone)


@pytest.mark.parametrize("days", [2, -9000])
def test_dates_of_files_have_no_effect(clone: Path, days: int) -> None:
    check_recovered(clone)
    when = time.time() + days * 86400
    for path in clone.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".dvc" not in path.parts and ".git" not in path.parts:
            os.utime(path, (when, when))
    assert "Running stage" not in run(clone, "dvc", "repro").stdout
    change(clone, "study/reports/index.py")
    os.utime(clone / "study/reports/index.py", (when, when))
    assert "Running stage 'index'" in run(clone, "dvc", "repro").stdout
