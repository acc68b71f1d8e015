import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from study.reports.formulas import lift_formulas, place_formulas
from study.reports.page import page

LOADING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Loads(HTMLParser):
    """Collects what a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if (tag, name) in LOADING]


@pytest.fixture
def notebook() -> NotebookNode:
    html = new_output("execute_result", data={"text/html": "<table class='dataframe'><tr><td>1</td></tr></table>"})
    return new_notebook(
        cells=[
            new_markdown_cell("# Fine & tuning\n\nWith $x_1^2$ and [a link](https://example.org).\n\n![photo](p.png)"),
            new_code_cell("answer = 42", outputs=[new_output("stream", text="forty-two\n")]),
            new_markdown_cell("## First part\n\n### Detail\n\n## Second part"),
            new_code_cell("frame", outputs=[html]),
            new_code_cell("hidden_helper()", metadata={"tags": ["remove"]}),
        ]
    )


@pytest.fixture
def text(notebook: NotebookNode, tmp_path: Path) -> str:
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(tmp_path / "p.png")
    return page(notebook, "03_finetune", tmp_path)


def test_nothing_is_fetched(text: str) -> None:
    assert [source for source in Loads(text).found if not source.startswith("data:image/")] == []
    assert len(Loads(text).found) == 1
    assert "<script" not in text
    assert not re.search(r"@import|url\(", text)


def test_the_page_is_small(text: str) -> None:
    assert len(text) < 40_000


def test_text_outputs_and_code_are_there_and_removed_cells_are_not(text: str) -> None:
    assert "forty-two" in text
    assert "dataframe" in text
    assert "answer" in text
    assert "hidden_helper" not in text


def test_code_is_hidden_until_asked_for(text: str) -> None:
    assert re.search(r"#show-code:not\(:checked\) ~ main \.input[^{]*\{\s*display: none", text)
    assert '<label for="show-code"' in text
    assert text.index('id="show-code"') < text.index("<main>")
    assert '<div class="input">' in text


def test_title_and_contents_come_from_the_headings(text: str) -> None:
    assert "<title>Fine &amp; tuning</title>" in text
    entries = re.findall(r'<li class="(h\d)"><a href="#([^"]+)">([^<]+)</a>', text)
    assert entries == [
        ("h2", "First-part", "First part"),
        ("h3", "Detail", "Detail"),
        ("h2", "Second-part", "Second part"),
    ]
    assert all(f'id="{anchor}"' in text for _, anchor, _ in entries)


def test_without_headings_the_name_is_the_title(tmp_path: Path) -> None:
    text = page(new_notebook(cells=[new_markdown_cell("plain")]), "a<b", tmp_path)
    assert "<title>a&lt;b</title>" in text
    assert '<nav class="contents">' not in text


def test_the_notebook_itself_is_not_changed(notebook: NotebookNode, text: str) -> None:
    assert "$x_1^2$" in notebook.cells[0].source
    assert len(notebook.cells) == 5


def test_a_formula_is_a_drawing_with_its_source_as_text(text: str) -> None:
    assert re.search(r'<svg role="img" aria-label="x_1\^2"[^>]*><path fill="currentColor" d="M[^"]+"/></svg>', text)


@pytest.mark.parametrize("markdown", ["`$x$`", "```\n$x$\n```", "5 $ and 6 $", r"\$x$", "cost: $5 to $6", "US$x$"])
def test_what_is_no_formula_stays(markdown: str) -> None:
    drawings: list[str] = []
    assert lift_formulas(markdown, drawings) == markdown
    assert drawings == []


def test_formulas_come_back_in_their_places() -> None:
    drawings: list[str] = []
    lifted = lift_formulas("a $x$ b $$y$$ c", drawings)
    placed = place_formulas(lifted, drawings)
    assert re.fullmatch(r'a <svg.*"x".*</svg> b <span class="formula"><svg.*"y".*</svg></span> c', placed)


def test_what_cannot_be_set_stays_readable() -> None:
    drawings: list[str] = []
    lift_formulas(r"$\begin{cases} a < b \end{cases}$", drawings)
    assert drawings == [r"<code>\begin{cases} a &lt; b \end{cases}</code>"]


def test_equal_notebooks_give_equal_pages(notebook: NotebookNode, text: str, tmp_path: Path) -> None:
    assert page(notebook, "03_finetune", tmp_path) == text
