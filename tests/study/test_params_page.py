from pathlib import Path

import pytest
from conftest import ROOT

from study.docs.params_page import describe, parameters_page, read_comments
from study.params import Params, load


@pytest.fixture(scope="module")
def page() -> str:
    return parameters_page(ROOT / "params.yaml")


def test_every_section_and_key_is_there(page: str) -> None:
    settings = load(ROOT / "human/params.yaml")
    for section, values in ((name, value) for name, value in settings if name != "choices"):
        _, _, rest = page.partition(f"\n## {section}\n")
        table = rest.partition("\n## ")[0]
        keys = list(type(values).model_fields)
        assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == keys


def test_a_row_has_range_default_meaning_and_the_papers_value(page: str) -> None:
    assert "| `crop` | integer, at least 32, at most 4096, a multiple of 16 |" in page
    assert "| `context` | integer, at least 1 | `4` | text context vectors, shared by both classes (CoOp) | 4 |" in page


def test_every_key_has_a_meaning() -> None:
    comments = read_comments((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert [place for place, text in comments.items() if place[1] and not text] == []


def test_a_value_that_is_changed_is_the_default_of_the_page(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("seed: 1 ", "seed: 7 ")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert "| `seed` | integer, at least 0 | `7` |" in parameters_page(tmp_path / "params.yaml")


def test_comments_are_read_by_section_and_key_over_several_lines() -> None:
    text = "# head\na:   # about a\n  x: 1  # first\n     # and more\n  y: [1, 2]\nb:\n  x: t # 50 %\n"
    assert read_comments(text) == {
        ("a", ""): "about a",
        ("a", "x"): "first and more",
        ("a", "y"): "",
        ("b", ""): "",
        ("b", "x"): "50 %",
    }


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "integer, at least 1"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number, above 0, below 1"),
        ({"enum": ["cpu", "cuda"], "type": "string"}, "`cpu`, `cuda`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "number", "description": "a share"}, "a share"),
    ],
)
def test_ranges_are_told_in_words(schema: dict, words: str) -> None:
    assert describe(schema) == words


def test_the_kinds_of_every_key_can_be_told() -> None:
    for section in Params.model_json_schema()["$defs"].values():
        assert all(describe(entry) for entry in section["properties"].values())
