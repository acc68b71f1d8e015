"""Which of the two packages may use what: the method knows nothing of the study, and needs none of its libraries."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from study.docs.dependencies import is_source, sources, stages
from study.params import load
from study.running.sources import notebook_code

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("grmp", "study")
    for path in (ROOT / package).rglob("*.py")
}
IMPORTED_AS = {"scikit-image": "skimage", "opencv-contrib-python-headless": "cv2"}
"""Names under which libraries are imported, where these are not those of their packages."""
BLOCKED = "import sys\nsys.modules.update(dict.fromkeys({blocked}))\n"
"""None in the place of a module: its import fails, and who asks whether it is there is told that it is not."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules of both packages that are imported at any place of `tree`."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name in FILES or name.partition(".")[0] == "study")


def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def test_the_method_never_imports_the_study() -> None:
    found = {
        f"{module}: {name}"
        for module in FILES
        if module.partition(".")[0] == "grmp"
        for name in imported(parsed(module))
        if name.partition(".")[0] == "study"
    }
    assert not found


def test_no_modules_import_each_other_in_a_circle() -> None:
    # `grmp.load` is looked up when it is first asked for; packages are imported by whatever lies in them.
    graph = {module: set(imported(parsed(module))) & set(FILES) for module in FILES if module != "grmp"}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert len(order) >= len(graph) > 90


def libraries_of_the_study() -> set[str]:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = [re.match(r"[\w-]+", line)[0] for line in extra["study"] + extra["cluster"]]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in packages} - {"joblib"}  # scikit-learn brings it


@pytest.mark.parametrize(
    "code",
    [
        "import grmp",
        "from grmp import load",
        "import grmp.finetune, grmp.pretrain, grmp.prior, grmp.scoring.fit",
        "import sys; sys.argv[1:] = ['--help']; from grmp.scoring.cli import main; main()",
    ],
)
def test_the_method_works_without_the_studys_libraries(code: str, tmp_path: Path) -> None:
    blocked = libraries_of_the_study() | {"IPython"}
    assert {"dvc", "papermill", "cv2", "skimage", "seaborn", "ray"} <= blocked
    program = BLOCKED.format(blocked=sorted(blocked)) + code
    command = [sys.executable, "-c", program]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("score" in done.stdout) == ("--help" in code)


def test_the_blocked_libraries_are_really_blocked() -> None:
    program = BLOCKED.format(blocked=["seaborn"]) + "import study.reports.style"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "import of seaborn halted" in done.stderr


@pytest.mark.parametrize("name", ["dvc.yaml", "human/dvc.yaml"])
def test_a_stage_depends_on_the_sources_that_it_uses_and_on_no_other(name: str) -> None:
    up = "../" * name.count("/")
    for stage, definition in stages(YAML(typ="safe").load(ROOT / name)):
        listed = [one for one in definition.get("deps", []) if is_source(one)]
        assert listed == [f"{up}{source}" for source in sources(definition["cmd"])], stage


def test_the_lock_file_holds_no_stage_that_is_gone() -> None:
    pipeline, lock = (YAML(typ="safe").load(ROOT / name)["stages"] for name in ("dvc.yaml", "dvc.lock"))
    labels = load(ROOT / "params.yaml").grid.labels
    repeated = {name: [f"{name}@{one:g}" for one in labels] for name, stage in pipeline.items() if "matrix" in stage}
    assert set(lock) == {one for name in pipeline for one in repeated.get(name, [name])}


@pytest.mark.parametrize("name", ["04_ablation", "05_human", "study.reports.index", "study.running.notebook"])
def test_what_reads_tables_alone_starts_without_torch(name: str) -> None:
    code = f"import {name}" if "." in name else notebook_code(ROOT / f"notebooks/{name}.ipynb")
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    code = "\n".join([*map(ast.unparse, imports), "import sys; sys.exit('torch' in sys.modules)"])
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
