"""When `make env` builds an environment, and what it says where it cannot."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

WANTED = ("requirements.txt", "pyproject.toml")
PROJECTS = (".dvc", "human/.dvc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with an environment that is no more than a note of what it was built from."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in WANTED:
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/.ready").write_text(f"requirements.txt\npyproject.toml\n{tmp_path}\n")
    for project in PROJECTS:
        (tmp_path / project).mkdir(parents=True)
        (tmp_path / project / "config.local").touch()
    return tmp_path


def make_env(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "env", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("seconds", [0, 4e9])
def test_dates_of_files_have_no_effect(folder: Path, seconds: float) -> None:
    for name in WANTED:
        os.utime(folder / name, (seconds, seconds))
    done = make_env(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", WANTED)
def test_other_requirements_are_installed_however_old_they_are(folder: Path, name: str) -> None:
    (folder / name).write_text("other\n")
    os.utime(folder / name, (0, 0))
    assert "environment: .venv" in make_env(folder, "PYTHON=true").stdout


def test_without_a_registry_the_reason_is_told(folder: Path) -> None:
    (folder / ".venv/.ready").unlink()
    python = folder / ".venv/bin/python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    done = make_env(folder, "PYTHON=true")
    assert done.returncode != 0
    assert "environment: PyPI cannot be reached; make needs it once" in done.stdout
    assert not (folder / ".venv/.ready").exists()


def test_what_cannot_be_installed_leaves_the_environment_unfinished(folder: Path) -> None:
    (folder / "requirements.txt").write_text("more\n")
    for name, status in (("python", 0), ("uv", 1)):
        (folder / ".venv/bin" / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (folder / ".venv/bin" / name).chmod(0o755)
    for _ in range(2):  # tried again every time
        done = make_env(folder, "PYTHON=true")
        assert done.returncode != 0
        assert "environment: not all of requirements.txt could be installed" in done.stdout


def test_without_git_both_projects_are_told_so_once(folder: Path) -> None:
    dvc = folder / ".venv/bin/dvc"
    dvc.write_text('#!/bin/sh\necho "$@"\n')
    dvc.chmod(0o755)
    assert make_env(folder).stdout == ""
    for project in PROJECTS:
        (folder / project / "config.local").unlink()
    told = [f"--cd {name} config --local core.no_scm true" for name in (".", "human")]
    assert make_env(folder).stdout.splitlines() == told
    (folder / ".git").touch()
    assert make_env(folder).stdout == ""


def test_the_quick_check_makes_all_that_fine_tuning_reads() -> None:
    asked = re.search(r"cd human && dvc repro -q (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    stages = YAML(typ="safe").load(ROOT / "human/dvc.yaml")["stages"]

    def files(stage: str, what: str) -> set[str]:
        return {entry for entry in stages[stage].get(what, []) if isinstance(entry, str)}

    made, waiting = set(), [asked[1]]
    while waiting:
        stage = waiting.pop()
        made |= {re.sub(r"/\$\{item.*", "", path) for path in files(stage, "outs")}
        waiting += [other for other in stages if files(other, "outs") & files(stage, "deps")]
    read = {path for path in files("finetune", "deps") if not path.startswith("../")}
    assert read == {"artifacts/target", "artifacts/features", "${clip}", "${prompts_file}", "${prior_file}"}
    assert read <= made
