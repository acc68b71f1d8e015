"""Which of our source files run for a module or a notebook, by its imports."""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def digest_of(name: str) -> str:
    """A digest of our sources that run for a module (study.stages.tuning) or a notebook (04_ablation)."""
    code = f"import {name}" if "." in name else notebook_code(ROOT / f"notebooks/{name}.ipynb")
    files = sorted(closure(code))
    texts = [(file.as_posix(), (ROOT / file).read_text(encoding="utf-8")) for file in files]
    return hashlib.sha256(json.dumps([code, texts]).encode()).hexdigest()[:32]


def notebook_code(notebook: Path) -> str:
    """The code cells of a notebook, one after the other."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


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
