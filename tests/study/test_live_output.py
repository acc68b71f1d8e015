import io
import sys
import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from grmp.progress import MARK
from study.running.live_output import LiveOutput


class Terminal(io.StringIO):
    """Counts how often it was flushed."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def at(terminal: Terminal, name: str = "03", quiet: float = 4.0) -> LiveOutput:
    """The output of a notebook that goes to `terminal`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        return LiveOutput(name, quiet)


def wait_for(terminal: Terminal, text: str) -> None:
    started = time.monotonic()
    while text not in terminal.getvalue():
        assert time.monotonic() - started < 10, terminal.getvalue()
        time.sleep(0.005)


def test_what_is_written_goes_on_at_once(terminal: Terminal) -> None:
    live = at(terminal)
    live.stdout.write("a")
    assert (terminal.getvalue(), terminal.flushed) == ("a", 1)


def test_standard_error_stays_standard_error(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    at(terminal).stderr.write("warning\n")
    assert terminal.getvalue() == ""
    assert capsys.readouterr().err == "warning\n"


def test_a_cell_is_named_by_its_number_and_the_heading_above_it(terminal: Terminal) -> None:
    live = at(terminal)
    assert live.position == "cell 0"
    cells = [
        new_code_cell("1"),
        new_markdown_cell("# Work\nwords\n## Results  "),
        new_code_cell("  "),
        new_code_cell("2"),
        new_markdown_cell("no heading"),
    ]
    for index, cell in enumerate(cells):
        live.enter_cell(cell, index)
    assert live.position == 'cell 2 "Results"'  # a blank cell is not executed and has no number


def test_silence_is_broken_by_a_line_of_its_own_that_names_the_cell(terminal: Terminal) -> None:
    with at(terminal, "03_finetune", quiet=0.05) as live:
        live.enter_cell(new_code_cell("1"), 0)
        live.stdout.write("half a line")
        wait_for(terminal, "\n" + f"{MARK}03_finetune: cell 1, 0 s\n")


def test_where_something_is_printed_nothing_is_added(terminal: Terminal) -> None:
    with at(terminal, quiet=3.0) as live:
        live.last_output = time.monotonic() - 2.5
        live.stdout.write("x\n")
        time.sleep(0.9)
    assert terminal.getvalue() == "x\n"


def test_at_the_end_nobody_watches_any_more(terminal: Terminal) -> None:
    with at(terminal, quiet=0.02):
        wait_for(terminal, "cell 0")
    time.sleep(0.05)  # a line that was under way
    before = terminal.getvalue()
    time.sleep(0.2)
    assert terminal.getvalue() == before
