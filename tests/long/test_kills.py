"""`dvc repro` killed at random moments: the same command goes on, and ends with the same bytes."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from repro_run import RECOVERY, ReproRun
from safetensors import safe_open
from tiny_clone import edit, make_clone
from tiny_clone import run as execute

pytestmark = pytest.mark.long

KILLS = 6  # of each kind
SECONDS = 30.0  # until nothing of a killed run is left; most of it is what a busy machine takes
LONGER = {"pretrain": {"outer_steps": 60}, "finetune": {"steps": 60}, "grid": {"repeats": 4}}
"""What gives the tiny study's stages enough work to be killed in the middle of."""
KEPT = Path("artifacts/kept")


def made(clone: Path) -> dict[Path, bytes]:
    """All results, by their names; what killed stages had finished is none."""
    paths = [path for folder in ("artifacts", "reports") for path in (clone / folder).rglob("*") if path.is_file()]
    found = {path.relative_to(clone): path.read_bytes() for path in paths}
    return {name: content for name, content in found.items() if not name.is_relative_to(KEPT)}


def repeats(clone: Path) -> dict[str, int]:
    """Kept repeats, each a whole file, with their inodes: one that is made again has another."""
    found = {}
    for path in (clone / KEPT / "repeats").glob("*.safetensors"):
        with safe_open(path, "np"):  # raises where it is not whole
            found[path.name] = path.stat().st_ino
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study before its first run."""
    clone = tmp_path_factory.mktemp("kills") / "fresh"
    clone.mkdir()
    make_clone(clone)
    edit(clone, LONGER)
    (clone / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")  # git has one, or it could not give it back
    for command in (["git", "add", "-A"], ["git", "commit", "-qm", "lock"]):
        assert execute(clone, *command).returncode == 0
    return clone


@pytest.fixture(scope="module")
def undisturbed(fresh: Path) -> tuple[dict[Path, bytes], float]:
    """Its results where nothing is killed, and the seconds that it took."""
    clone = fresh.with_name("undisturbed")
    shutil.copytree(fresh, clone)
    started = time.monotonic()
    run = ReproRun(clone, "undisturbed")
    assert run.wait() == 0, run.text[-3000:]
    return made(clone), time.monotonic() - started


@pytest.mark.parametrize("whom", ["group", "dvc", "kernel", "Ctrl-C"])
def test_the_same_command_goes_on_and_ends_with_the_same_bytes(
    fresh: Path, undisturbed: tuple[dict[Path, bytes], float], whom: str
) -> None:
    expected, seconds = undisturbed
    clone, draw, delivered = fresh.with_name(whom), random.Random(whom), 0
    shutil.copytree(fresh, clone)
    for number in range(10 * KILLS):
        run, before = ReproRun(clone, str(number)), repeats(clone)
        end = time.monotonic() + draw.uniform(0.05, 0.4) * seconds
        while run.process.poll() is None and (time.monotonic() < end or (whom == "kernel" and not run.kernels())):
            time.sleep(0.02)
        if run.process.poll() is not None:
            break
        run.kill(whom)
        delivered += 1
        assert run.gone(SECONDS), [process.cmdline() for process in run.processes()]
        assert "Traceback" not in run.text, run.text[-3000:]
        assert before.items() <= repeats(clone).items(), "a kept repeat was made again"
        subprocess.run(RECOVERY, shell=True, cwd=clone, check=True)
        if delivered == KILLS:
            run = ReproRun(clone, "last")
            break
    assert run.wait() == 0, run.text[-3000:]
    assert delivered >= 3  # a machine that got quicker may have ended the study before its last kills were due
    found = made(clone)
    assert [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)] == []
