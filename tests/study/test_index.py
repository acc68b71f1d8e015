import json
import re
from pathlib import Path

import pytest
from PIL import Image
from test_page import Loads

from grmp.errors import UserError
from study.reports.index import index, main
from study.reports.thumbnails import data_uri

PAGES = ("00_backbone", "01_distort", "02_pretrain", "03_finetune", "04_ablation")
SCORES = {"srcc": 0.512345, "plcc": 0.523456}
TREE = {"full": {"10": {"srcc": 0.1, "plcc": 0.1}, "50": SCORES}, "ridge": {"50": SCORES | {"srcc": 0.4}}}
NUMBERS = {
    "backbone": {
        f"{who}, held-out photographs": {"balanced accuracy": value}
        for who, value in (("text tower", 0.571), ("nearest mean", 0.689))
    },
    "distort": {"srcc_cells": 0.9361, "srcc_leave_one_type_out": 0.9211},
    "pretrain": {"query_srcc_before": -0.3339, "query_srcc_after": 0.6717},
    "metrics": TREE,
}


def page(title: str, colour: str) -> str:
    figure = data_uri(Image.new("RGB", (80, 40), colour))
    return (
        f'<html><title>{title}</title><p><img src="{figure}"></p>'
        "<table><tr><td>backbone</td>\n<td>tiny CLIP</td></tr></table></html>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in PAGES:
        (tmp_path / f"{name}.html").write_text(page(f"Title of {name}", "green"), encoding="utf-8")
    for name, values in NUMBERS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    return tmp_path


def test_every_report_is_linked_with_title_picture_and_backbone(folder: Path) -> None:
    text = index(folder, 50)
    for name in PAGES:
        assert f'<a href="{name}.html">Title of {name}</a>' in text
    assert text.count("<img ") == len(PAGES)
    assert text.count("tiny CLIP") == len(PAGES)


def test_nothing_is_fetched(folder: Path) -> None:
    text = index(folder, 50)
    assert all(source.startswith("data:image/jpeg;base64,") for source in Loads(text).found)
    assert "<script" not in text
    assert not re.search(r"@import|url\(", text)


def test_numbers_are_those_of_the_files(folder: Path) -> None:
    text = index(folder, 50)
    assert "<dt>SRCC, 50 labels, MPP + QGR (full)</dt><dd>0.512</dd>" in text
    assert "<dt>SRCC, 50 labels, frozen CLIP + ridge</dt><dd>0.400</dd>" in text
    assert "<dt>PLCC, 50 labels</dt><dd>0.523</dd>" in text
    for number in ("0.57", "0.69", "0.936", "0.921", "-0.334", "0.672"):
        assert f"<dd>{number}</dd>" in text
    (folder / "distort.json").write_text('{"srcc_cells": 0.5, "srcc_leave_one_type_out": 0.25}', encoding="utf-8")
    assert "<dd>0.250</dd>" in index(folder, 50)


def test_equal_reports_give_equal_bytes(folder: Path) -> None:
    assert index(folder, 50) == index(folder, 50)


def test_a_report_on_livec_gets_a_card_when_it_is_there(folder: Path) -> None:
    assert "livec/report.html" not in index(folder, 50)
    (folder / "livec").mkdir()
    (folder / "livec/report.html").write_text(page("On LIVEC", "blue"), encoding="utf-8")
    (folder / "livec/metrics.json").write_text(json.dumps({"full": {"200": {"srcc": 0.75}}}), encoding="utf-8")
    text = index(folder, 50)
    assert '<a href="livec/report.html">On LIVEC</a>' in text
    assert "<dt>SRCC, 200 labels, MPP + QGR (full)</dt><dd>0.750</dd>" in text


def test_a_page_without_a_figure_has_a_card_all_the_same(folder: Path) -> None:
    (folder / "02_pretrain.html").write_text("<title>Bare</title>", encoding="utf-8")
    text = index(folder, 50)
    assert ">Bare</a>" in text
    assert text.count("<img ") == len(PAGES) - 1


@pytest.mark.parametrize("name", ["03_finetune.html", "metrics.json"])
def test_what_is_missing_is_named_with_the_remedy(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: is not there; `dvc repro`"):
        index(folder, 50)


def test_what_is_no_json_is_named(folder: Path) -> None:
    (folder / "pretrain.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"pretrain\.json: is not JSON"):
        index(folder, 50)


def test_the_command_writes_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    main(folder)
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
