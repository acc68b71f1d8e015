import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.running import sources
from study.running.sources import closure, digest_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of four modules, of which `grmp.a` imports `grmp.b`, and of a notebook that imports `grmp.c`."""
    for folder in ("grmp", "study", "notebooks"):
        (tmp_path / folder).mkdir()
    for name, text in {"a": "from grmp.b import x", "b": "x = 1", "c": "import math", "d": "y = 1"}.items():
        (tmp_path / f"grmp/{name}.py").write_text(text)
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": "import grmp.c"}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    (tmp_path / "notebooks/00_page.ipynb").write_text(json.dumps(notebook))
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    digest_of.cache_clear()
    yield tmp_path
    digest_of.cache_clear()


def test_what_is_imported_runs_and_nothing_else(project: Path) -> None:
    assert closure("import grmp.a") == {Path("grmp/a.py"), Path("grmp/b.py")}


@pytest.mark.parametrize(("name", "uses"), [("grmp.a", "ab"), ("00_page", "c")])
def test_a_digest_changes_with_what_runs_alone(project: Path, name: str, uses: str) -> None:
    def found() -> str:
        digest_of.cache_clear()
        return digest_of(name)

    first = found()
    for file in sorted((project / "grmp").glob("*.py")):
        before = file.read_text()
        file.write_text(before + "  # changed")
        assert (found() != first) == (file.stem in uses)
        file.write_text(before)
    assert found() == first
