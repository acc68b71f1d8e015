import json
from pathlib import Path

import pandas as pd
import pytest

from grmp.errors import UserError
from study.reports.ablation import median_summary, median_tree, metrics_tree, read_runs, summary, wide_curve


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
    for cell, value in (("full-10", 1), ("full-50", 2), ("full-old", 3)):
        (tmp_path / cell).mkdir()
        pd.DataFrame({"srcc": [value]}).to_csv(tmp_path / cell / "results.csv", index=False)
    assert read_runs(tmp_path, ["full-50", "full-10"], "results")["srcc"].tolist() == [2, 1]


def test_a_cell_that_was_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="full-10"):
        read_runs(tmp_path, ["full-10"], "results")


def test_no_cells_make_an_empty_table(tmp_path: Path) -> None:
    assert read_runs(tmp_path, [], "results").empty


def test_the_summary_gives_means_in_the_order_of_the_variants(results: pd.DataFrame) -> None:
    table = summary(results)
    assert table["labels"].tolist() == [10, 20, 10, 20]
    assert table.loc[0, "SRCC"].startswith("0.402 ± ")
    assert table.loc[0, "variant"].startswith("MPP + QGR")


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
    table = median_summary(skewed)
    assert table["labels"].tolist() == [10, 20, 10, 20]
    assert table.loc[1, "SRCC"] == "0.502 (0.501 to 0.803)"
    assert table.loc[1, "PLCC"] == 0.5
