"""Runs a notebook on chosen sections of params.yaml; leaves an executed notebook, and a page, with stable bytes."""

import ast
import logging
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import nbformat
import papermill
import typer
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from grmp.errors import NO_MEMORY, UserError, is_want_of_memory
from grmp.io.files import write_whole
from grmp.io.plain import parse, refuse_objects
from grmp.settings import Compute
from study import params
from study.command import run_command
from study.reports.page import page
from study.reports.stable import stabilise
from study.running.engine import export_to_env
from study.running.live_output import LiveOutput

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of getrusage
PAGE_ONLY = "page-only"
"""Tag of cells whose outputs go to the page alone."""
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # sets print in the same order on every run
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # figures go inline whatever the shell prefers
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger is not used, so its remark is noise
    "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment, not one that the user has installed elsewhere
}
KERNEL = {
    "extra_arguments": ["--log-level=CRITICAL"],  # an idle kernel calls the signal that ends it an error
    "shutdown_kernel": "immediate",  # a kernel deep in a computation does not answer a polite request
    "config": Config({"KernelManager": {"transport_encryption": "auto"}}),  # others can listen to the kernel's ports
}


def run_notebook(source: Path, target: Path, parameters: dict[str, Any]) -> None:
    """Execute `source` in the current directory and write the result to `target`, and beside it as a page.

    What cells print is passed on while they run. Equal results give equal bytes.

    Args:
        source: notebook with a cell tagged `parameters`.
        target: executed notebook; replaced only by a whole one. The page gets its stem and `.html`.
        parameters: values for names that the `parameters` cell defines; plain ones (`grmp.io.plain`), so that what
            papermill writes into the notebook is data and no code.

    Raises:
        UserError: unreadable or unfit source, a cell that failed (what was executed is then kept beside `target` as
            `*.partial.ipynb`), or a file that cannot be written.
    """
    started, partial = time.monotonic(), target.with_suffix(".partial.ipynb")
    _check_parameters(source, parameters)
    partial.parent.mkdir(parents=True, exist_ok=True)
    notebook = stabilise(_execute(source, partial, parameters))
    beside = target.with_suffix(".html")
    write_whole(target, _bytes(_lean(notebook, beside.name)))
    write_whole(beside, page(notebook, target.stem, source.parent))
    partial.unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * MAXRSS_BYTES
    cost = f"{time.monotonic() - started:.1f} s, peak memory {peak / 1e9:.2f} GB"
    print(f"{source.stem} -> {target}, .html  in {cost}", flush=True)


def _execute(source: Path, under_way: Path, parameters: dict[str, Any]) -> NotebookNode:
    os.environ.update(ENVIRONMENT)
    # Where a kernel ends, nbclient leaves an exception unread, which asyncio would print beside our own line.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    live = LiveOutput(source.stem)
    try:
        with live:
            return papermill.execute_notebook(
                str(source),
                str(under_way),
                parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=120,
                stdout_file=live.stdout,
                stderr_file=live.stderr,
                on_cell_start=live.enter_cell,
                **KERNEL,
            )
    except PapermillExecutionError as error:
        raise _failure(source, under_way, live, error.ename, error.evalue) from None
    except RuntimeError as error:  # nbclient's of a kernel that died, jupyter_client's of one that did not come up
        reason = "the kernel died, most often for want of memory" if "died" in str(error) else str(error)
        raise _failure(source, under_way, live, "DeadKernel", reason) from None


def _failure(source: Path, under_way: Path, live: LiveOutput, name: str, message: str) -> UserError:
    write_whole(under_way, _bytes(stabilise(_read(under_way))))
    kept, where = f"partly executed: {under_way}", f"{source}, {live.position}"
    message = " ".join(message.split())
    if name == UserError.__name__:
        return UserError(f"{message} ({where}; {kept})")
    if is_want_of_memory(name, message):
        return UserError(f"{where}: {NO_MEMORY} ({kept})")
    return UserError(f"{where}: {name}: {message} ({kept})")


def _lean(notebook: NotebookNode, beside: str) -> NotebookNode:
    """The notebook without what only a browser can use, large as it is: outputs of cells with the tag `page-only`."""
    words = nbformat.v4.new_output("display_data", {"text/markdown": f"In [{beside}]({beside})."})
    cells = [
        cell | {"outputs": [words]} if PAGE_ONLY in cell.metadata.get("tags", []) else cell for cell in notebook.cells
    ]
    return nbformat.from_dict(notebook | {"cells": cells})


def _bytes(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _check_parameters(source: Path, parameters: dict[str, Any]) -> None:
    cells = [cell for cell in _read(source).cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        raise UserError(f"{source}: has no cell tagged `parameters`")
    try:
        defined = set(_assigned(cells[0].source))
    except SyntaxError as error:
        raise UserError(f"{source}: its `parameters` cell is not Python: {error.msg}") from None
    for name, value in parameters.items():
        try:
            refuse_objects(value)
        except ValueError as error:
            raise UserError(f"{source}: its parameter {name} {error}") from None
        if name not in defined:
            known = ", ".join(sorted(defined)) or "none"
            raise UserError(f"{source}: its `parameters` cell does not define {name} (defined: {known})")


def _read(source: Path) -> NotebookNode:
    try:
        return nbformat.read(source, as_version=4)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror or error})") from None
    except (ValueError, nbformat.ValidationError):
        raise UserError(f"{source}: is not a notebook") from None


def _assigned(code: str) -> Iterator[str]:
    for statement in ast.parse(code).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def chosen(path: Path, sections: list[str], keys: list[str]) -> dict[str, Any]:
    """The named sections of a params file, and single keys such as `image.crop` under their own names (`crop`).

    The file is checked as a whole; values are plain ones.

    Raises:
        UserError: the file is not valid, or has no such section or key.
    """
    tree = params.load(path).model_dump(mode="json")

    def find(section: str, key: str = "") -> Any:
        if section not in tree:
            raise UserError(f"{path}: has no section {section} (sections: {', '.join(tree)})")
        if key and key not in tree[section]:
            raise UserError(f"{path}: {section}: has no key {key} (keys: {', '.join(tree[section])})")
        return tree[section][key] if key else tree[section]

    single = (name.split(".", 1) for name in keys)
    return {name: find(name) for name in sections} | {name[-1]: find(*name) for name in single}


def parse_setting(text: str) -> tuple[str, Any]:
    """Name and value of `name=value`, the value read as YAML 1.2, in which `1e-4` is a number.

    Raises:
        UserError: no `=`, no name, or a value that is not YAML of plain values.
    """
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise UserError(f"--set {text}: write name=value")
    try:
        return name, parse(value)
    except ValueError as error:
        raise UserError(f"--set {text}: the value {error}") from None


def main(
    source: Annotated[Path, typer.Argument(help="the notebook")],
    target: Annotated[Path, typer.Argument(help="where the executed notebook goes")],
    sections: Annotated[str, typer.Option(help="sections of the params file, separated by commas")] = "",
    keys: Annotated[str, typer.Option(help="single keys, such as image.crop, separated by commas")] = "",
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value, a parameter; may be repeated")] = None,
    params_file: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Execute SOURCE with the named sections and keys of params.yaml as its parameters, and write TARGET."""
    names, single = ([name.strip() for name in text.split(",") if name.strip()] for text in (sections, keys))
    parameters = chosen(params_file, names, single) | dict(parse_setting(text) for text in setting or [])
    if "compute" in names:
        export_to_env(Compute.model_validate(parameters["compute"]))
    try:
        run_notebook(source, target, parameters)
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {source}; {target} is as it was", err=True)
        raise typer.Exit(130) from None


if __name__ == "__main__":
    run_command(main)
