"""An executed notebook as one page: opens from the disk, without a server and without the network."""

import html
import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from study.reports.formulas import lift_formulas, place_formulas
from study.reports.frame import code_colours, filled, whole_page

REMOVED_TAG = "remove"
_HEADING = re.compile(r'<h([1-3]) id="([^"]*)">(.*?)<a class="anchor-link"', flags=re.DOTALL)


def page(notebook: NotebookNode, name: str, folder: Path) -> str:
    """The notebook as an HTML page: text, outputs, and the code behind a button; cells tagged `remove` are left out.

    Args:
        notebook: executed notebook.
        name: the page's title if the notebook has no heading of level 1.
        folder: where pictures are, which the text names by relative paths; they are embedded.
    """
    exporter = HTMLExporter(template_name="basic", embed_images=True)
    drawings: list[str] = []
    body, _ = exporter.from_notebook_node(_shown(notebook, drawings), resources={"metadata": {"path": str(folder)}})
    body = place_formulas(body, drawings)
    headings = [(int(level), anchor, _plain(text)) for level, anchor, text in _HEADING.findall(body)]
    title = next((text for level, _, text in headings if level == 1), html.escape(name))
    return whole_page(title, filled("report.html", contents=_contents(headings), body=body), code_colours())


def _shown(notebook: NotebookNode, drawings: list[str]) -> NotebookNode:
    shown = nbformat.from_dict(notebook)
    shown.cells = [cell.copy() for cell in shown.cells if REMOVED_TAG not in cell.metadata.get("tags", [])]
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = lift_formulas(cell.source, drawings)
    return shown


def _plain(heading: str) -> str:
    return re.sub(r"<[^>]+>", "", heading).strip()


def _contents(headings: list[tuple[int, str, str]]) -> str:
    entries = [
        f'<li class="h{level}"><a href="#{anchor}">{text}</a></li>' for level, anchor, text in headings if level > 1
    ]
    if len(entries) < 2:
        return ""
    return filled("contents.html", entries="\n".join(entries))
