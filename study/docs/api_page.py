"""docs/api.md: the public names of grmp, and the few of study that a reader needs, from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "grmp.model", "grmp.prompts", "grmp.towers", "grmp.text", "grmp.meta", "grmp.pretrain",
    "grmp.projection", "grmp.finetune", "grmp.regression", "grmp.prior", "grmp.probe", "grmp.probe_fit", "grmp.design",
    "grmp.metrics", "grmp.crops", "grmp.features", "grmp.settings", "grmp.runtime", "grmp.io.backbone",
    "grmp.io.identity", "grmp.io.prompts_file", "grmp.io.prior_file", "grmp.scoring.scorer", "grmp.scoring.scorer_file",
    "grmp.scoring.fit", "grmp.scoring.validation", "grmp.scoring.suggest", "grmp.scoring.opinions",
    "grmp.scoring.mean_quality", "grmp.scoring.pyiqa_plugin", "grmp.errors",
    "study.variant", "study.variants", "study.params", "study.data.distortions", "study.data.labels",
    "study.data.datasets.reading", "study.data.splits", "study.stages.cells", "study.stages.sequential",
)  # fmt: skip
"""What is listed, in the order in which a newcomer may read it."""
_HEAD = """# The library

The public names of `grmp` and the few of `study` that a reader needs, each with its arguments and the shapes in its
annotations, and the first line of its docstring. Written by `make docs` from the source, where ranges, errors and
sources stand; a data class is shown with its fields. `grmp.load` is `grmp.scoring.scorer_file.load`."""

Definition = ast.FunctionDef | ast.ClassDef


def api_page(root: Path, modules: tuple[str, ...] = MODULES) -> str:
    """The page as Markdown, for `modules` below the folder `root`."""
    return "\n\n".join([_HEAD, *(_module(root, name) for name in modules)]) + "\n"


def _module(root: Path, name: str) -> str:
    path = root.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    entries = (f"- `{signature(node)}`: {first_line(node)}" for node in _public(tree))
    return "\n".join([f"## {name}", "", first_line(tree), "", *entries])


def _public(tree: ast.Module) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node


def first_line(node: ast.Module | Definition) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def signature(node: Definition) -> str:
    """A function's arguments and result, a class's, or a data class's fields."""
    if isinstance(node, ast.FunctionDef):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"{node.name}({ast.unparse(node.args)}){returns}"
    made = [entry.args for entry in node.body if isinstance(entry, ast.FunctionDef) and entry.name == "__init__"]
    if made:
        return f"{node.name}({ast.unparse(made[0]).removeprefix('self, ')})"
    fields = [ast.unparse(entry) for entry in node.body if isinstance(entry, ast.AnnAssign)]
    return f"{node.name}({', '.join(fields)})"
