"""The source dependencies of every DVC stage, from their imports.

`python -m study.docs.dependencies` writes these lists into both pipelines. Some packages stand as a whole for what is
imported of them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PIPELINES = ("dvc.yaml", "human/dvc.yaml")
WHOLE = ("grmp/io", "study/data", "study/reports")
"""Packages that are listed as folders."""
RUNNER = "study.running.notebook"
"""Executes notebooks; what it is made of shapes pages, and no result."""


def imported(code: str) -> Iterator[str]:
    """Dotted names of our modules that Python `code` imports, also inside of functions."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def source_of(module: str) -> Path | None:
    """The file of one of our modules, below `ROOT`; None for others, and for names that are no modules."""
    path = Path(*module.split("."))
    files = path.with_suffix(".py"), path / "__init__.py"
    own = path.parts[0] in ("grmp", "study") and len(path.parts) > 1  # a package's own `__init__` computes nothing
    return next((file for file in files if own and (ROOT / file).is_file()), None)


def closure(code: str) -> set[Path]:
    """Our source files that run where `code` runs; packages' empty `__init__.py` are left out."""
    found: set[Path] = set()
    waiting = list(imported(code))
    while waiting:
        file = source_of(waiting.pop())
        if file and file not in found:
            found.add(file)
            waiting.extend(imported((ROOT / file).read_text(encoding="utf-8")))
    return {file for file in found if (ROOT / file).read_text(encoding="utf-8").strip()}


def code_of(command: str) -> str:
    """What a stage's command runs: its notebook's cells, or an import of its module."""
    if notebook := re.search(r"(notebooks/\w+\.ipynb)", command):
        cells = nbformat.read(ROOT / notebook[1], as_version=4).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return "\n".join(f"import {module}" for module in re.findall(r"python -m (study[\w.]+)", command))


def sources(command: str) -> list[str]:
    """The dependencies of a stage on our sources, relative to `ROOT`."""
    files = (file.as_posix() for file in closure(code_of(command)))
    return sorted({next((folder for folder in WHOLE if file.startswith(f"{folder}/")), file) for file in files})


def stages(pipeline: dict) -> Iterator[tuple[str, dict]]:
    """Names and definitions of a pipeline's stages; what a `foreach` repeats stands under its name."""
    for name, stage in pipeline["stages"].items():
        yield name, stage.get("do", stage)


def is_source(dependency: str) -> bool:
    """Whether a stage's dependency is one of our sources."""
    return re.match(r"(\.\./)?(grmp|study)/", dependency) is not None


def main() -> None:
    """Write the lists."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1000
    for name in PIPELINES:
        path = ROOT / name
        up = "../" * name.count("/")
        pipeline = yaml.load(path)
        for _, stage in stages(pipeline):
            own = [one for one in stage.get("deps", []) if not is_source(one)]
            stage["deps"] = own + [f"{up}{source}" for source in sources(stage["cmd"])]
        yaml.dump(pipeline, path)


if __name__ == "__main__":
    main()
