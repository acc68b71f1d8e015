import numpy as np
import pandas as pd
import pytest

from study.reports.findings import replication_finding
from study.reports.replicated import components, interval, replicated_effects, replication_table

DRAWS, SPLITS = 5, 10


def crossed(pretraining: float, split: float, rest: float, seed: int = 0) -> np.ndarray:
    """Differences of 0.02 and effects of normal draws with these deviations: a row per pre-training."""
    draw = np.random.default_rng(seed)
    effects = draw.normal(0, pretraining, (DRAWS, 1)) + draw.normal(0, split, (1, SPLITS))
    return 0.02 + effects + draw.normal(0, rest, (DRAWS, SPLITS))


def long(values: np.ndarray) -> pd.DataFrame:
    rows = [(draw, split, value) for (draw, split), value in np.ndenumerate(values)]
    return pd.DataFrame(rows, columns=["draw", "repeat", "difference"])


@pytest.mark.parametrize("seed", range(3))
def test_components_are_those_of_the_analysis_of_variance_where_all_are_positive(seed: int) -> None:
    values = crossed(0.03, 0.04, 0.01, seed)  # balanced, so that both ways to estimate agree
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    rest = (rest**2).sum() / ((DRAWS - 1) * (SPLITS - 1))
    between = values.mean(1).var(ddof=1) - rest / SPLITS, values.mean(0).var(ddof=1) - rest / DRAWS
    found = components(long(values))
    assert [found["pretraining"], found["split"], found["rest"]] == pytest.approx([*between, rest], rel=0.02)


def test_a_component_that_is_not_there_is_near_zero() -> None:
    found = components(long(crossed(0.0, 0.05, 0.01)))
    assert found["pretraining"] < 0.1 * found["split"]


def test_with_splits_alone_the_interval_is_the_corrected_t_interval() -> None:
    variances = {"pretraining": 0.0, "split": 0.0004, "rest": 0.0}
    found = interval(0.05, variances, DRAWS, SPLITS, test_ratio=0.25)
    half = 2.262 * np.sqrt((1 / 10 + 0.25) * 0.0004)  # t of 9 degrees of freedom
    assert [found["low"], found["high"]] == pytest.approx([0.05 - half, 0.05 + half], abs=1e-5)


def test_pretrainings_that_differ_widen_the_interval() -> None:
    variances = {"pretraining": 0.0, "split": 0.0004, "rest": 0.0001}
    narrow = interval(0.05, variances, DRAWS, SPLITS, 0.25)
    wide = interval(0.05, variances | {"pretraining": 0.002}, DRAWS, SPLITS, 0.25)
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
    assert wide["p"] > narrow["p"]


def runs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `replicated_effects` reads, with 50 labels: QGR adds 0.02 and MPP 0.1, give or take."""
    gains, rows = crossed(0.01, 0.02, 0.01), []
    for (draw, split), gain in np.ndenumerate(gains):
        rows += [("full", draw, split, 0.7 + gain), ("without_qgr", draw, split, 0.7)]
    again = pd.DataFrame(rows, columns=["variant", "draw", "repeat", "srcc"]).assign(count=50)
    grid = pd.DataFrame({"variant": "without_mpp", "repeat": range(SPLITS), "srcc": 0.6, "count": 50})
    return again, grid


def test_variants_without_mpp_are_the_same_behind_every_pretraining() -> None:
    again, grid = runs()
    table = replicated_effects(again, grid, 0.25).set_index("idea")
    assert list(table.index) == ["MPP", "QGR"]
    assert table.loc["MPP", "difference"] == pytest.approx(table.loc["QGR", "difference"] + 0.1)
    assert table.loc["MPP", "sd_pretraining"] == pytest.approx(table.loc["QGR", "sd_pretraining"])
    assert (table["draws"] == DRAWS).all()
    each = again[again["variant"] == "full"].groupby("draw")["srcc"].mean() - 0.7
    assert table.loc["QGR", ["least", "most"]].tolist() == pytest.approx([each.min(), each.max()])


def test_tables_and_findings_tell_over_how_many_pretrainings() -> None:
    again, grid = runs()
    held = replicated_effects(again, grid, 0.25)
    assert replication_finding(held, 50).startswith("Over 5 pre-trainings and 10 splits, with 50 labels")
    assert "between pre-trainings" in " ".join(replication_table(held).columns)
    alone = replicated_effects(again[again["draw"] == 0], grid, 0.25)
    assert alone["low"].isna().all()
    assert replication_finding(alone, 50) == "All this holds for one pre-training."
