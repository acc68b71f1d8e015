"""docs/api.md, written from the library's source: signatures and docstrings as they stand there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FIRST = (
    "model", "prompts", "meta", "pretrain", "projection", "finetune", "readback", "variants", "cells", "features",
    "metrics", "conclusions", "backbone", "align", "towers", "photos", "distortions", "labels", "generate", "sets",
    "params",
)  # fmt: skip
"""Modules in the order in which a newcomer may read them; all others follow by name."""
_HEAD = """# The library

What `grmp` offers, module by module, in the order in which a newcomer may read it: first the method, then the study
around it, then data, then the rest by name. Names that begin with an underscore are left out. This page is written by
`make docs` from the source, which is short: read on there."""
_BLOCK = re.compile(r"^(Args|Returns|Raises|Yields):$", flags=re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}\w+): ", flags=re.MULTILINE)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def api_page(package: Path) -> str:
    """The page as Markdown, for every module below the folder `package`: what is new there is found by itself."""
    modules = sorted(modules_in(package), key=lambda entry: _rank(entry[0]))
    contents = "\n".join(f"- [`{name}`](#{_anchor(name)}): {_summary(tree)}" for name, tree in modules)
    return "\n\n".join([_HEAD, contents, *(part for name, tree in modules for part in _module(name, tree))]) + "\n"


def modules_in(package: Path) -> list[tuple[str, ast.Module]]:
    """Dotted name and syntax tree of every package, and of every module that has something public."""
    found = []
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part not in ("__init__", "__main__"))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.stem != "__main__" and (path.stem == "__init__" or any(_public(tree))):
            found.append((name, tree))
    return found


def _rank(name: str) -> tuple[int, str]:
    top = name.split(".")[1] if "." in name else ""
    return (-1 if not top else FIRST.index(top) if top in FIRST else len(FIRST)), name


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _summary(tree: ast.Module) -> str:
    return " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node


def _module(name: str, tree: ast.Module) -> Iterator[str]:
    yield f"## {name}"
    yield ast.get_docstring(tree) or ""
    yield from (part for node in _public(tree) for part in _definition(node, ""))


def _definition(node: Definition, owner: str) -> Iterator[str]:
    level = "####" if owner else "###"
    yield f"{level} {owner}{node.name}"
    if signature := "\n".join(_signature(node)):
        yield f"```python\n{signature}\n```"
    if text := ast.get_docstring(node):
        yield markdown(text)
    if isinstance(node, ast.ClassDef):
        # Only methods that say what they do: the rest is Python's or torch's own.
        documented = (method for method in _public(node) if ast.get_docstring(method))
        yield from (part for method in documented for part in _definition(method, f"{node.name}."))


def _signature(node: Definition) -> Iterator[str]:
    if not isinstance(node, ast.ClassDef):
        yield from (f"@{ast.unparse(decorator)}" for decorator in node.decorator_list)
        yield _wrapped(f"def {node.name}", node.args, node.returns)
        return
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield f"class {node.name}({bases})" if bases else f"class {node.name}"
    for entry in node.body:
        if isinstance(entry, ast.AnnAssign) and not ast.unparse(entry.target).startswith("_"):
            yield f"    {ast.unparse(entry)}"
        elif isinstance(entry, ast.FunctionDef) and entry.name == "__init__":
            yield "    " + _wrapped("def __init__", entry.args, None).replace("\n", "\n    ")


def _wrapped(head: str, arguments: ast.arguments, returns: ast.expr | None) -> str:
    tail = f" -> {ast.unparse(returns)}" if returns else ""
    each = list(_each(arguments))
    line = f"{head}({', '.join(each)}){tail}"
    if len(line) <= 100:
        return line
    return "\n".join([f"{head}(", *(f"    {text}," for text in each), f"){tail}"])


def _each(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    yield from (_argument(one, default) for one, default in zip(plain, defaults))
    if arguments.vararg or arguments.kwonlyargs:
        yield f"*{ast.unparse(arguments.vararg)}" if arguments.vararg else "*"
    yield from (_argument(one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults))
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(one) + (f" = {ast.unparse(default)}" if default else "")


def markdown(docstring: str) -> str:
    """A docstring in Google's style as Markdown: its Args, Returns and Raises become lists."""
    text, *blocks = _BLOCK.split(docstring)
    parts = [text.strip()]
    for title, body in zip(blocks[::2], blocks[1::2]):
        listed, rest = _indented(body)
        parts += [f"**{title}**", listed, rest]
    return "\n\n".join(part for part in parts if part)


def _indented(body: str) -> tuple[str, str]:
    lines = body.strip("\n").split("\n")
    end = next((n for n, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    inside, rest = (("\n".join(some)) for some in (lines[:end], lines[end:]))
    entries = re.sub(r"\n {8,}", " ", f"\n{inside}").strip()
    entries = re.sub(r"^ +", "", entries, flags=re.MULTILINE)
    return _ENTRY.sub(r"- `\1`: ", entries), rest.strip()
