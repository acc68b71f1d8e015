"""Faults of an environment under way: no registry, wrong clocks; in a folder where `make env` builds a small one."""

import os
import re
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from trials.faulting.clone import ROOT, Clone, Disk, Seen

DAY = 86400.0


@dataclass
class World:
    """Where faults happen: the clone on its disk, a folder to build environments in, and what a second user saw."""

    clone: Clone
    disk: Disk
    bare: Path
    second: Seen | None = None


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


def unreachable() -> dict[str, str]:
    """Environment variables that send pip and uv to a port at which nobody listens, without their caches."""
    with socket.socket() as listener:  # a port that was free a moment ago: nobody listens there
        listener.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{listener.getsockname()[1]}/simple"
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    uv = {"UV_NO_CONFIG": "1", "UV_INDEX_URL": index, "UV_EXTRA_INDEX_URL": "", "UV_FIND_LINKS": ""}
    caches = {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    return pip | uv | caches


def dated(folder: Path, days: float) -> None:
    """Date all files below `folder` so many days from now."""
    for path in folder.rglob("*"):
        if path.is_file() and not {".venv", ".git", ".dvc"} & set(path.relative_to(folder).parts):
            os.utime(path, (time.time() + days * DAY,) * 2)


def env(world: World, **environment: str) -> Seen:
    """`make env` in the folder for environments."""
    return world.clone.run("make", "env", folder=world.bare, **environment)


def no_registry_at_all(world: World) -> Seen:
    """Neither uv nor any package is there yet."""
    return env(world, **unreachable())


def no_registry_for_one_more(world: World) -> Seen:
    """The environment is there; requirements.txt asks for one package more."""
    path = world.bare / "requirements.txt"
    path.write_text(path.read_text() + _pinned("six"))
    return env(world, **unreachable())


def requirements_in_the_future(world: World) -> Seen:
    """Nothing has changed but the dates."""
    dated(world.bare, 2)
    seen = env(world)
    dated(world.bare, 0)
    return seen


def requirements_in_the_past(world: World) -> Seen:
    """A new requirement that is older than the environment."""
    path = world.bare / "requirements.txt"
    path.write_text(path.read_text() + _pinned("idna"))
    dated(world.bare, -9000)
    return env(world)


def environment_broken(world: World) -> str:
    """`make env` ends well, and a second one finds nothing to do."""
    first = env(world)
    return f"make env: {first.message}" if first.code else env(world).output.strip()
