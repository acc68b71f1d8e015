"""What a notebook's cells print, on the terminal while they run, and a line where they have been quiet for a while."""

import re
import sys
import threading
import time
from typing import TextIO

from nbformat import NotebookNode

from grmp.progress import MARK

QUIET_SECONDS = 4.0


class LiveOutput:
    """Passes the cells' output on, and says which cell runs where nothing was printed for `quiet` seconds.

    Args:
        name: what the lines call the notebook.
        quiet: seconds without output after which a line is printed.
    """

    def __init__(self, name: str, quiet: float = QUIET_SECONDS) -> None:
        self.name, self.quiet = name, quiet
        self.cell, self.heading = 0, ""
        self.stdout, self.stderr = (_Stream(self, stream) for stream in (sys.stdout, sys.stderr))
        self.line_start = True
        self.last_output = self._cell_started = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> "LiveOutput":
        """Start to watch for silence."""
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop watching."""
        self._over.set()

    @property
    def position(self) -> str:
        """The running cell as people name it: its number as in `In [4]`, and the heading above it."""
        return f'cell {self.cell} "{self.heading}"' if self.heading else f"cell {self.cell}"

    def enter_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """Note that the next cell starts, of text or of code."""
        if cell.cell_type == "code":
            self.cell += bool(cell.source.strip())  # blank cells are not executed and get no number
        elif headings := re.findall(r"^#+ +(.+?) *$", cell.source, flags=re.MULTILINE):
            self.heading = headings[-1]
        self._cell_started = time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(self.quiet / 8):
            if time.monotonic() - self.last_output >= self.quiet:
                seconds = time.monotonic() - self._cell_started
                line = f"{MARK}{self.name}: {self.position}, {seconds:.0f} s\n"
                self.stdout.write(line if self.line_start else f"\n{line}")


class _Stream:
    """A file for papermill to write to."""

    def __init__(self, live: LiveOutput, stream: TextIO) -> None:
        self.live, self.stream = live, stream

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
        self.live.line_start, self.live.last_output = text.endswith("\n"), time.monotonic()

    def flush(self) -> None:
        self.stream.flush()
