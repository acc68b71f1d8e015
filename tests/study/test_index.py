import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_page import Loads

from grmp.errors import UserError
from study.reports.index import index, main

PAGES = ("00_backbone", "01_distort", "02_pretrain", "03_finetune", "04_ablation")
SCORES = {"srcc": 0.512345, "plcc": 0.523456}
NUMBERS = {
    "backbone": {
        f"{who}, held-out photographs": {"balanced accuracy": value}
        for who, value in (("text tower", 0.571), ("nearest mean", 0.689))
    },
    "distort": {"srcc_cells": 0.9361, "srcc_leave_one_type_out": 0.9211},
    "pretrain": {"query_srcc": 0.6717},
    "metrics": {"full": {"10": {"srcc": 0.9}, "50": SCORES}, "ridge": {"50": SCORES | {"srcc": 0.4}}},
}
COMPARISONS = pd.DataFrame(
    [("MPP", 0.1, 0.05, 0.15, 0.01), ("QGR", -0.004, -0.01, 0.002, 0.2), (None, 0.3, 0.2, 0.4, 0.01)],
    columns=["idea", "difference", "low", "high", "p"],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in NUMBERS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    COMPARISONS.to_csv(tmp_path / "comparisons.csv", index=False)
    return tmp_path


def with_people(folder: Path) -> Path:
    (folder / "livec").mkdir()
    (folder / "livec/report.html").write_text("<title>On people</title>", encoding="utf-8")
    (folder / "livec/metrics.json").write_text(json.dumps({"full": {"200": {"srcc": 0.75}}}), encoding="utf-8")
    COMPARISONS.assign(difference=0.2, high=0.5, p=0.001).to_csv(folder / "livec/comparisons.csv", index=False)
    return folder


def test_every_report_is_linked_and_there_is_one_figure(folder: Path) -> None:
    text = index(folder)
    assert all(f'<a href="{name}.html">' in text for name in PAGES)
    assert text.count("<svg") == 1
    assert "livec" not in text


def test_the_answer_is_in_words_from_the_comparisons(folder: Path) -> None:
    text = index(folder)
    assert "<b>MPP</b>: on the generated target +0.100 SRCC (95 % interval +0.050 to +0.150, p = 0.01)." in text
    assert "p = 0.2, no difference can be claimed)" in text
    assert "+0.300" not in text


def test_the_question_is_answered_for_all_targets_or_for_each(folder: Path) -> None:
    assert "The prompts: MPP adds more on the generated target." in index(folder)
    other = COMPARISONS.assign(idea=["QGR", "MPP", None])
    other.to_csv(with_people(folder) / "livec/comparisons.csv", index=False)
    text = index(folder)
    assert "It depends: on the generated target MPP adds more, on people's scores (LIVEC) QGR adds more." in text


def test_people_are_beside_the_generated_target_where_they_were_studied(folder: Path) -> None:
    text = index(with_people(folder))
    assert '<a href="livec/report.html">' in text
    assert "; on people's scores (LIVEC) +0.200 SRCC" in text
    assert "highest SRCC with 200 labels: 0.750" in text


def test_people_without_comparisons_are_linked_alone(folder: Path) -> None:
    (with_people(folder) / "livec/comparisons.csv").unlink()
    text = index(folder)
    assert '<a href="livec/report.html">' in text
    assert "people's scores (LIVEC)" not in text


def test_nothing_is_fetched(folder: Path) -> None:
    text = index(folder)
    assert Loads(text).found == []
    assert "<script" not in text
    assert not re.search(r"@import|url\((?!#)", text)


def test_numbers_are_those_of_the_files(folder: Path) -> None:
    text = index(folder)
    assert "highest SRCC with 50 labels: 0.512, MPP + QGR (full)" in text
    for number in ("0.57", "0.69", "0.936", "0.921", "0.672"):
        assert number in text
    (folder / "distort.json").write_text('{"srcc_cells": 0.5, "srcc_leave_one_type_out": 0.25}', encoding="utf-8")
    assert "left out 0.250" in index(folder)


def test_equal_reports_give_equal_bytes(folder: Path) -> None:
    assert index(folder) == index(folder)


@pytest.mark.parametrize("name", ["comparisons.csv", "metrics.json"])
def test_what_is_missing_is_named_with_the_remedy(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: is not there; `dvc repro`"):
        index(folder)


def test_what_is_no_json_is_named(folder: Path) -> None:
    (folder / "pretrain.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"pretrain\.json: is not JSON"):
        index(folder)


def test_the_command_writes_the_page(folder: Path) -> None:
    main(folder)
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
