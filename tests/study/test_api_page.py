from pathlib import Path

import pytest
from conftest import ROOT

from study.docs.api_page import api_page

SOURCE = '''"""What this is.

And more.
"""

CONSTANT = 1


def scale(image: "Image", factor: float = 2.0, *, clip: bool = True) -> float:
    """Scale it,
    or not.

    Args:
        image: bytes.
    """


def _hidden() -> None: ...


class Thing:
    """A thing."""

    size: int
    name: str = ""


class Made:
    """Made of a size."""

    def __init__(self, size: int) -> None: ...
'''


@pytest.fixture
def page(tmp_path: Path) -> str:
    (tmp_path / "grmp/inner").mkdir(parents=True)
    (tmp_path / "grmp/zebra.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "grmp/inner/__init__.py").write_text('"""Inner."""\n', encoding="utf-8")
    return api_page(tmp_path, ("grmp.zebra", "grmp.inner"))


def test_what_is_public_has_its_signature_and_first_line(page: str) -> None:
    assert (
        "- `scale(image: 'Image', factor: float=2.0, *, clip: bool=True) -> float`: Scale it, or not.\n"
        "- `Thing(size: int, name: str = '')`: A thing.\n- `Made(size: int)`: Made of a size.\n"
    ) in page
    assert "hidden" not in page.lower()


def test_modules_stand_in_their_order_with_their_first_line(page: str) -> None:
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## grmp.zebra", "## grmp.inner"]
    assert "## grmp.zebra\n\nWhat this is.\n" in page


def test_the_page_can_be_read() -> None:
    assert len(api_page(ROOT).splitlines()) <= 400
