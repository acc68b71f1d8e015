from pathlib import Path

import pytest
from conftest import ROOT

from study.docs.api_page import FIRST, api_page, markdown, modules_in

SOURCE = '''"""What this is.

And more.
"""

CONSTANT = 1


def scale(image: "Image", factor: float = 2.0, *, clip: bool = True) -> float:
    """Scale it.

    Args:
        image: bytes, which go
            over two lines.
        factor: above 0.

    Raises:
        ValueError: never.
    """


def _hidden() -> None: ...


class Thing:
    """A thing."""

    size: int

    def grow(self) -> None:
        """Make it larger."""

    def _shrink(self) -> None:
        """Hidden."""
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "grmp"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""The package."""\n', encoding="utf-8")
    (folder / "zebra.py").write_text(SOURCE, encoding="utf-8")
    (folder / "model.py").write_text('"""The model."""\n\n\ndef run() -> None:\n    """Run."""\n', encoding="utf-8")
    (folder / "inner/__init__.py").write_text('"""Inner."""\n', encoding="utf-8")
    (folder / "inner/__main__.py").write_text('"""Command."""\n\n\ndef main() -> None: ...\n', encoding="utf-8")
    (folder / "inner/deep.py").write_text('"""Deep."""\n\n\ndef dig() -> None:\n    """Dig."""\n', encoding="utf-8")
    return folder


def test_a_new_module_is_found_by_itself_after_those_to_read_first(package: Path) -> None:
    headings = [line for line in api_page(package).splitlines() if line.startswith("## ")]
    assert headings == ["## grmp", "## grmp.model", "## grmp.inner", "## grmp.inner.deep", "## grmp.zebra"]


def test_what_is_public_is_there_and_nothing_else(package: Path) -> None:
    text = api_page(package)
    assert "def scale(image: 'Image', factor: float = 2.0, *, clip: bool = True) -> float" in text
    assert "class Thing\n    size: int" in text
    assert "#### Thing.grow" in text
    assert "hidden" not in text.lower()
    assert "_shrink" not in text


def test_sections_of_a_docstring_become_lists(package: Path) -> None:
    text = api_page(package)
    assert "**Args**\n\n- `image`: bytes, which go over two lines.\n- `factor`: above 0." in text
    assert "**Raises**\n\n- `ValueError`: never." in text


def test_a_docstring_without_sections_stays() -> None:
    assert markdown("One line.\n\nAnother `line`.") == "One line.\n\nAnother `line`."


def test_contents_lead_to_the_headings(package: Path) -> None:
    assert "- [`grmp.zebra`](#grmpzebra): What this is.\n" in api_page(package)


def test_a_long_signature_has_an_argument_a_line() -> None:
    text = api_page(ROOT / "grmp")
    assert "def finetune(\n    model: PromptedCLIP,\n    labelled: Labelled,\n" in text


def test_the_modules_to_read_first_exist() -> None:
    names = {name for name, _ in modules_in(ROOT / "grmp")}
    assert [name for name in FIRST if f"grmp.{name}" not in names] == []
