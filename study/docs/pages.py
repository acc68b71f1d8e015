"""Writes the pages, and parts of pages, that are made from code and results: `make docs`."""

from collections.abc import Callable
from pathlib import Path

from grmp.io.files import write_whole
from study.command import run_command
from study.docs import datasets_page, model_card_page, readme, results_page
from study.docs.api_page import api_page
from study.docs.params_page import parameters_page

PAGES: dict[Path, Callable[[], str]] = {
    Path("README.md"): lambda: readme.filled(Path("README.md"), readme.BLOCKS),
    Path("docs/results.md"): lambda: readme.filled(Path("docs/results.md"), results_page.BLOCKS),
    Path("docs/model_card.md"): lambda: readme.filled(Path("docs/model_card.md"), model_card_page.BLOCKS),
    Path("docs/parameters.md"): parameters_page,
    datasets_page.PAGE: datasets_page.markdown,
    Path("docs/api.md"): lambda: api_page(Path()),
}
"""The page that each function gives; run in the repository's root."""


def main() -> None:
    """Write every generated page."""
    for path, make in PAGES.items():
        write_whole(path, make())


if __name__ == "__main__":
    run_command(main)
