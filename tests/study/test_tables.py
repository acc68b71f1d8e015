import json
from pathlib import Path

import pandas as pd
import pytest

from grmp.errors import UserError
from study.reports.tables import (
    label_name,
    mean_cell,
    median_cell,
    median_tree,
    metrics_tree,
    optimism,
    read_grid,
    read_runs,
    read_runtime,
    score_table,
    variant_table,
    wide_curve,
)


@pytest.fixture
def results() -> pd.DataFrame:
    rows = [
        {"variant": variant, "count": count, "repeat": repeat, "srcc": base + count / 100 + repeat / 1000}
        for variant, base in (("ridge", 0.1), ("full", 0.3))
        for count in (10, 20)
        for repeat in (1, 2, 3)
    ]
    return pd.DataFrame(rows).assign(plcc=0.5, krcc=0.4, rmse=0.1)


def test_only_the_named_cells_are_read_in_their_order(tmp_path: Path) -> None:
    for cell, value in (("10/full", 1), ("50/full", 2), ("old/full", 3)):
        (tmp_path / cell).mkdir(parents=True)
        pd.DataFrame({"srcc": [value]}).to_csv(tmp_path / cell / "results.csv", index=False)
    assert read_runs(tmp_path, ["50/full", "10/full"], "results")["srcc"].tolist() == [2, 1]


def test_a_cell_that_was_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="10/full"):
        read_runs(tmp_path, ["10/full"], "results")


def test_what_computed_the_runs_is_read_beside_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runtime\.json: is not there"):
        read_runtime(tmp_path, 0.2)
    (tmp_path / "0.2").mkdir()
    (tmp_path / "0.2/runtime.json").write_text('{"device": "a processor, 2 threads", "precision": "bf16"}')
    assert read_runtime(tmp_path, 0.2) == {"device": "a processor, 2 threads", "precision": "bf16"}


def test_no_cells_make_an_empty_table(tmp_path: Path) -> None:
    assert read_runs(tmp_path, [], "results").empty


def test_a_grid_is_read_with_its_sweep(tmp_path: Path) -> None:
    for cell, srcc in (("50/full", 0.6), ("50/without_qgr", 0.5), ("50/lambda-5.0", 0.4)):
        (tmp_path / cell).mkdir(parents=True)
        row = {"variant": cell[3:], "labels": 50, "count": 50, "strength": 1.0, "repeat": 1, "srcc": srcc}
        strength = {"variant": "full", "strength": 5.0} if "lambda" in cell else {}
        pd.DataFrame([row | strength]).to_csv(tmp_path / cell / "results.csv", index=False)
    grid = read_grid(
        tmp_path, {"variants": ["full", "without_qgr"], "labels": [50]}, {"labels": 50, "strengths": [5.0]}, 1.0
    )
    assert grid.results["srcc"].tolist() == [0.6, 0.5]
    assert dict(zip(grid.swept["strength"], grid.swept["srcc"])) == {0.0: 0.5, 1.0: 0.6, 5.0: 0.4}
    assert grid.count(50) == 50


def test_the_table_has_variants_down_and_numbers_of_labels_across(results: pd.DataFrame) -> None:
    table = score_table(results, mean_cell)
    assert table.columns.tolist() == ["variant", "10 labels", "20 labels"]
    assert table["variant"].tolist() == ["MPP + QGR (full)", "frozen CLIP + ridge"]
    assert table.loc[0, "10 labels"].startswith("0.402 ± ")
    few = results[(results["variant"] == "full") | (results["count"] == 10)]
    assert score_table(few, mean_cell).loc[1, "20 labels"] == ""


def test_only_fine_tuned_runs_pick_a_step(results: pd.DataFrame) -> None:
    both = results.assign(srcc_best=results["srcc"] + (results["variant"] == "full") * 0.1 + 0.05)
    assert optimism(both) == pytest.approx(0.15)
    assert variant_table(both)["SRCC of the best step"].tolist()[1] == "–"


def test_the_curve_has_a_column_per_variant_and_a_row_per_count(results: pd.DataFrame) -> None:
    curve = wide_curve(results)
    assert curve.columns.tolist() == ["count", "full", "ridge"]
    assert curve["ridge"].tolist() == pytest.approx([0.202, 0.302])


def test_metrics_are_means_rounded_to_what_is_written(results: pd.DataFrame) -> None:
    tree = json.loads(metrics_tree(results))
    assert tree["full"]["20"] == {"srcc": 0.502, "plcc": 0.5, "krcc": 0.4, "rmse": 0.1}


def test_medians_are_not_means(results: pd.DataFrame) -> None:
    skewed = results.assign(srcc=results["srcc"] + (results["repeat"] == 3) * 0.3)
    assert json.loads(median_tree(skewed))["full"]["20"]["srcc"] == 0.502
    cell = score_table(skewed, median_cell).loc[0, "20 labels"]
    assert cell == "0.502<br>0.501–0.803"


@pytest.mark.parametrize(("labels", "text"), [(50, "50"), (50.0, "50"), (0.2, "0.2 = 80")])
def test_label_name(labels: float, text: str) -> None:
    assert label_name(labels, 80 if labels < 1 else 50) == text
