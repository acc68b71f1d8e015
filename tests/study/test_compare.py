import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from grmp.errors import UserError
from study import compare
from study.compare import compare_runs
from study.reports.device import processor


def test_numbers_are_compared_at_any_depth() -> None:
    found = compare.drift({"full": {"50": {"srcc": 0.75}}, "n": 3}, {"n": 3.0, "full": {"50": {"srcc": 0.5}}})
    assert found.to_dict() == {"full.50.srcc": 0.25, "n": 0.0}


def test_a_number_that_only_one_side_has_counts_as_a_failure() -> None:
    assert compare.drift({"a": 1.0}, {"a": 1.5, "b": 2.0}).to_dict() == {"a": 0.5, "b": float("inf")}


@pytest.mark.parametrize(("now", "fails"), [(0.71, False), (0.73, True)])
def test_more_than_the_tolerance_is_an_error_that_names_the_metric(
    now: float, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    for path in compare.METRICS:
        Path(path).write_text(json.dumps({"full": {"srcc": now}}), encoding="utf-8")
    monkeypatch.setattr(compare, "committed", lambda path: '{"full": {"srcc": 0.70}}')
    if fails:
        with pytest.raises(UserError, match=r"full\.srcc differs by 0\.03"):
            compare.metrics(0.02)
    else:
        compare.metrics(0.02)


def table(*srcc: float, variant: str = "full") -> pd.DataFrame:
    return pd.DataFrame({"variant": variant, "labels": 50, "repeat": range(1, len(srcc) + 1), "srcc": srcc})


def test_runs_are_paired_by_variant_labels_and_repeat() -> None:
    kept = pd.concat([table(0.1, 0.1, 0.1, variant="ridge"), table(0.7, 0.8, 0.9)])
    both = compare_runs(table(0.71, 0.82), kept)
    assert both["committed"].tolist() == [0.7, 0.8]
    assert both["again"].tolist() == [0.71, 0.82]


@pytest.mark.filterwarnings("error")
def test_counts_are_found_where_fractions_are_committed_too() -> None:
    kept = pd.concat([table(0.7, 0.8), table(0.9).assign(labels=0.2)])
    assert compare_runs(table(0.7, 0.8), kept)["committed"].tolist() == [0.7, 0.8]


def test_a_run_that_nobody_committed_is_named() -> None:
    with pytest.raises(UserError, match="full at 50 labels, repeat 3: is not committed"):
        compare_runs(table(0.7, 0.8, 0.9), table(0.7, 0.8))


@pytest.mark.parametrize(("now", "fails"), [((0.6, 0.71, 0.9), False), ((0.7, 0.73, 0.7), False), ((0.73,) * 3, True)])
def test_the_medians_decide(tmp_path: Path, now: tuple[float, ...], fails: bool) -> None:
    table(*now).to_csv(tmp_path / "now.csv", index=False)
    table(0.7, 0.7, 0.8).to_csv(tmp_path / "kept.csv", index=False)
    if fails:
        with pytest.raises(UserError, match=r"differs by 0\.0300"):
            compare.runs(tmp_path / "now.csv", tmp_path / "kept.csv", 0.02)
    else:
        compare.runs(tmp_path / "now.csv", tmp_path / "kept.csv", 0.02)


@pytest.fixture
def committed_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report, in a repository's only commit, that names this machine's processor."""
    monkeypatch.chdir(tmp_path)
    report = Path("reports/03_finetune.ipynb")
    report.parent.mkdir()
    report.write_text(f"made on {processor()}, 2 threads", encoding="utf-8")
    Path("reports/ablation.csv").write_text("a number", encoding="utf-8")
    who = "-c", "user.name=a", "-c", "user.email=a@b"
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "made")):
        subprocess.run(["git", *command], check=True)
    return report


def test_the_same_bytes_are_told(committed_report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare.tree()
    assert capsys.readouterr().out == "the same bytes as committed\n"


def test_other_bytes_on_the_same_kind_of_processor_are_an_error(committed_report: Path) -> None:
    committed_report.write_text("made on another processor")  # what counts is which one made the committed report
    with pytest.raises(UserError, match=r"these differ: reports/03_finetune\.ipynb"):
        compare.tree()


def test_a_page_of_other_sources_may_differ_and_a_table_may_not(
    committed_report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed_report.write_text(f"{committed_report.read_text()} sources 0123456789ab")
    compare.tree()
    assert capsys.readouterr().out.endswith("but for pages of other sources: reports/03_finetune.ipynb\n")
    Path("reports/ablation.csv").write_text("another number")
    with pytest.raises(UserError, match=r"these differ: reports/ablation\.csv$"):
        compare.tree()


def test_other_outputs_of_the_same_dependencies_are_told_and_those_of_edited_code_are_not() -> None:
    def lock(code: str, prompts: str) -> str:
        deps, outs = [{"path": "grmp/meta.py", "md5": code}], [{"path": "artifacts/prompts", "md5": prompts}]
        return json.dumps({"stages": {"pretrain": {"cmd": "python", "deps": deps, "outs": outs}}})

    before = lock("a", "b")
    assert compare.moved(before, lock("a", "c")) == ["pretrain"]
    assert compare.moved(before, lock("d", "c")) == compare.moved(before, before) == compare.moved(None, before) == []


def test_on_another_kind_of_processor_nothing_is_asked(
    committed_report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "processor", lambda: "another one")
    committed_report.write_text("other bytes")
    compare.tree()
    assert "another kind of processor" in capsys.readouterr().out
