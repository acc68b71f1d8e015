"""Runs a notebook on chosen sections of params.yaml; leaves an executed notebook, and a page, with stable bytes."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import nbformat
import papermill
import typer
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from grmp import params
from grmp.errors import NO_MEMORY, UserError, is_want_of_memory, run_command
from grmp.execution import ENGINE, Reporter
from grmp.files import write_whole
from grmp.page import page
from grmp.place import hand_on
from grmp.plain import parse, refuse_objects
from grmp.stable import stabilise

PAGE_ONLY = "page-only"
"""Tag of cells whose outputs go to the page alone."""


def run_notebook(source: Path, target: Path, parameters: dict[str, Any], html: bool = True) -> None:
    """Execute `source` in the current directory and write the result to `target`, and beside it as a page.

    What cells print is passed on while they run. Equal results give equal bytes.

    Args:
        source: notebook with a cell tagged `parameters`.
        target: executed notebook; replaced only by a whole one. The page gets its stem and `.html`.
        parameters: values for names that the `parameters` cell defines; plain ones (`grmp.plain`), so that what
            papermill writes into the notebook is data and no code.
        html: whether to write the page.

    Raises:
        UserError: unreadable or unfit source, a cell that failed (what was executed is then kept beside `target` as
            `*.failed.ipynb`), or a file that cannot be written.
    """
    started = time.monotonic()
    _check_parameters(source, parameters)
    reporter = Reporter(source.stem)
    notebook = stabilise(_execute(source, target, parameters, reporter))
    beside = target.with_suffix(".html")
    write_whole(target, _bytes(_lean(notebook, beside.name) if html else notebook))
    if html:
        write_whole(beside, page(notebook, target.stem, source.parent))
    _failed(target).unlink(missing_ok=True)
    files = f"{target}, .html" if html else f"{target}"
    seconds = time.monotonic() - started
    print(f"{source.stem} -> {files}  in {seconds:.1f} s, peak memory {reporter.peak_memory / 1e9:.2f} GB", flush=True)


def _execute(source: Path, target: Path, parameters: dict[str, Any], reporter: Reporter) -> NotebookNode:
    try:
        return papermill.execute_notebook(
            str(source),
            None,
            parameters,
            engine_name=ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            reporter=reporter,
        )
    except PapermillExecutionError as error:
        raise _failure(source, target, reporter, error.ename, error.evalue) from None
    except DeadKernelError:
        reason = "the kernel died, most often for want of memory"
        raise _failure(source, target, reporter, "DeadKernel", reason) from None


def _failure(source: Path, target: Path, reporter: Reporter, name: str, message: str) -> UserError:
    try:
        write_whole(_failed(target), _bytes(stabilise(reporter.notebook)))
        kept = f"partly executed: {_failed(target)}"
    except UserError as error:
        kept = str(error)
    where = f"{source}, {reporter.place}"
    message = " ".join(message.split())
    if name == UserError.__name__:
        return UserError(f"{message} ({where}; {kept})")
    if is_want_of_memory(name, message):
        return UserError(f"{where}: {NO_MEMORY} ({kept})")
    return UserError(f"{where}: {name}: {message} ({kept})")


def _failed(target: Path) -> Path:
    return target.with_suffix(".failed.ipynb")


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


def chosen_sections(path: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """The named sections of a params file, checked as a whole, as plain values.

    Raises:
        UserError: the file is not valid, or has no such section.
    """
    sections = params.load(path).model_dump(mode="json")
    for name in names:
        if name not in sections:
            raise UserError(f"{path}: has no section {name} (sections: {', '.join(sections)})")
    return {name: sections[name] for name in names}


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
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value, a parameter; may be repeated")] = None,
    params_file: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
    html: Annotated[bool, typer.Option(help="write a page beside the executed notebook")] = True,
) -> None:
    """Execute SOURCE with the named sections of params.yaml as its parameters, and write TARGET."""
    names = [name.strip() for name in sections.split(",") if name.strip()]
    parameters = chosen_sections(params_file, names) | dict(parse_setting(text) for text in setting or [])
    if "compute" in names:
        hand_on(params.load(params_file).compute)
    try:
        run_notebook(source, target, parameters, html)
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {source}; {target} is as it was", err=True)
        raise typer.Exit(130) from None


if __name__ == "__main__":
    run_command(main)
