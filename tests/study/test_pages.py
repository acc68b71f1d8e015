"""The generated pages of docs/ are those in git, and no page links to what is not there."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

from study.docs.pages import PAGES, main

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
FOLDERS = ("", "human", "benchmarks")
LINKING = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_committed_page_is_what_the_code_gives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path](), "run `make docs`"


def test_the_command_writes_every_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("params.yaml", "grmp", "study", "human", "reports"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    for path in (path for path in PAGES if "generated:" in (ROOT / path).read_text(encoding="utf-8")):
        text = re.sub(
            r"(generated: \w+ -->\n).*?(<!-- end)", r"\1\2", (ROOT / path).read_text(encoding="utf-8"), flags=re.DOTALL
        )
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    main()
    assert [path for path in PAGES if (tmp_path / path).read_bytes() != (ROOT / path).read_bytes()] == []


@pytest.mark.parametrize("path", [*LINKING, *DOCUMENTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_page_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCUMENTS if f"(docs/{page.name})" not in text] == []
