import re
import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grmp.execution import Reporter
from grmp.progress import MARK


@pytest.fixture
def reporter() -> Reporter:
    reporter = Reporter("03_finetune", quiet=0.2)
    cells = [
        new_markdown_cell("# Fine-tuning"),
        new_code_cell("a = 1"),
        new_code_cell("  "),
        new_markdown_cell("Words.\n\n## Align the text tower  \nMore words."),
        new_code_cell("b = 2"),
        new_code_cell("c = 3"),
    ]
    reporter.notebook = new_notebook(cells=cells)
    return reporter


def test_a_cell_is_named_by_its_number_and_the_heading_above(reporter: Reporter) -> None:
    reporter.enter_cell(None, 1)
    assert reporter.place == 'cell 1 "Fine-tuning"'
    reporter.enter_cell(None, 5)
    assert reporter.place == 'cell 3 "Align the text tower"'


def test_silence_is_broken_by_one_line(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    with reporter:
        reporter.enter_cell(None, 4)
        time.sleep(0.35)
    out = capsys.readouterr().out
    assert re.fullmatch(rf'{MARK}03_finetune: cell 2 of 3 "Align the text tower", 0 s\n', out)


def test_while_cells_print_there_is_no_line(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    with reporter:
        reporter.enter_cell(None, 4)
        for _ in range(8):
            reporter.write("stdout", ".\n")
            time.sleep(0.05)
    assert capsys.readouterr().out == ".\n" * 8


def test_the_line_does_not_join_a_half_written_one(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    with reporter:
        reporter.enter_cell(None, 4)
        reporter.write("stdout", "half")
        time.sleep(0.35)
    assert capsys.readouterr().out.startswith(f"half\n{MARK}")


def test_streams_go_where_they_came_from(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    reporter.write("stdout", "out")
    reporter.write("stderr", "err")
    assert tuple(capsys.readouterr()) == ("out", "err")
