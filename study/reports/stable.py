"""Files whose bytes depend on what was computed, not on when and where."""

import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BytesIO
from itertools import groupby
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from grmp.progress import MARK

KEPT_METADATA = ("tags",)
CHECKOUT = Path(__file__).resolve().parents[2]
_CELL_FILE = re.compile(r"[^\s'\"]*/ipykernel_\d+/\d+\.py")
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]{6,}")


def stabilise(notebook: NotebookNode) -> NotebookNode:
    """A copy of an executed notebook without clocks, random ids, addresses in memory, or paths of this machine."""
    cells = [_stable_cell(cell, f"cell-{number:02}") for number, cell in enumerate(notebook.cells, start=1)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _stable_cell(cell: NotebookNode, identity: str) -> dict:
    metadata = {key: value for key, value in cell.metadata.items() if key in KEPT_METADATA and value}
    stable = {"cell_type": cell.cell_type, "id": identity, "metadata": metadata, "source": scrub(cell.source)}
    if cell.get("attachments"):
        stable["attachments"] = cell.attachments
    if cell.cell_type == "code":
        stable["execution_count"] = cell.execution_count
        stable["outputs"] = list(_stable_outputs(cell.outputs))
    return stable


def _stable_outputs(outputs: list[NotebookNode]) -> Iterator[dict]:
    # How a stream is cut into messages, and which of two streams comes first, is a matter of timing.
    for streams, group in groupby(outputs, key=lambda output: output.output_type == "stream"):
        if streams:
            yield from _merged_streams(list(group))
        else:
            yield from (_scrubbed(output) for output in group)


def _merged_streams(outputs: list[NotebookNode]) -> Iterator[dict]:
    for name in ("stdout", "stderr"):
        text = "".join(output.text for output in outputs if output.name == name)
        kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(MARK))
        if kept:
            yield {"output_type": "stream", "name": name, "text": scrub(kept)}


def _scrubbed(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {name: _scrubbed(entry, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_scrubbed(entry) for entry in value]
    if key == "image/png":
        return small_png(value)
    # An encoded picture may hold the letters of a path by chance.
    return scrub(value) if isinstance(value, str) and not re.match(r"image/(?!svg)", key) else value


def small_png(encoded: str) -> str:
    """A figure with a palette of 256 colours, a third of the bytes; base64 in and out."""
    figure, small = Image.open(BytesIO(b64decode(encoded))).convert("RGB"), BytesIO()
    figure.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return b64encode(small.getvalue()).decode()


def scrub(text: str) -> str:
    """`text` with paths below the current directory made relative, the home folder as `~`, and no memory addresses."""
    text = _CELL_FILE.sub("<cell>", text)
    for folder, short in _folders():
        text = _shortened(text, folder, short)
    return _ADDRESS.sub("0x…", text)


def _folders() -> list[tuple[str, str]]:
    folders = {Path.cwd(): ".", Path.cwd().resolve(): ".", Path.home(): "~", Path.home().resolve(): "~"}
    folders.setdefault(CHECKOUT, "grmp's checkout")
    if sys.prefix != sys.base_prefix:
        folders.setdefault(Path(sys.prefix), Path(sys.prefix).name)
    # The innermost first, as the checkout is often below the home folder; never `/` itself.
    ordered = sorted(folders.items(), key=lambda entry: -len(entry[0].parts))
    return [(str(folder), short) for folder, short in ordered if len(folder.parts) > 1]


def _shortened(text: str, folder: str, short: str) -> str:
    text = text.replace(f"{folder}/", "" if short == "." else f"{short}/")
    return re.sub(rf"{re.escape(folder)}(?![\w.-]*\w)", short, text)
