import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.reports.comparisons import (
    against_zero,
    claim,
    compare_choices,
    compare_variants,
    comparison_table,
    holm,
    paired_test,
)

REPEATS = range(1, 11)
DRAWS = np.random.default_rng(0).normal(0, 0.02, 10)


@pytest.fixture
def results() -> pd.DataFrame:
    effect = {"full": 0.1, "without_mpp": 0.0, "without_qgr": 0.1, "ridge": -0.1}
    rows = [
        (variant, count, repeat, 0.5 + by + count / 1000 + (DRAWS[repeat - 1] if variant == "full" else 0))
        for variant, by in effect.items()
        for count in (10, 50)
        for repeat in REPEATS
    ]
    return pd.DataFrame(rows, columns=["variant", "count", "repeat", "srcc"])


def test_with_one_test_part_the_test_is_students() -> None:
    values = 0.02 + DRAWS
    test, reference = paired_test(values), stats.ttest_1samp(values, 0)
    assert test["p"] == pytest.approx(reference.pvalue)
    assert (test["low"], test["high"]) == pytest.approx(tuple(reference.confidence_interval()))


def test_random_splits_widen_the_interval_by_what_nadeau_and_bengio_give() -> None:
    values = 0.02 + DRAWS
    plain, corrected = paired_test(values), paired_test(values, test_ratio=0.25)
    factor = (corrected["high"] - corrected["low"]) / (plain["high"] - plain["low"])
    assert factor == pytest.approx(np.sqrt((1 / 10 + 0.25) / (1 / 10)))
    assert corrected["p"] > plain["p"]
    assert corrected["difference"] == plain["difference"]


def test_one_repeat_tells_nothing_and_equal_values_do_not_differ() -> None:
    assert np.isnan(paired_test(np.array([0.1]))["p"])
    assert paired_test(np.zeros(4))["p"] == 1


def test_nested_numbers_of_labels_are_one_value_per_repeat(results: pd.DataFrame) -> None:
    row = compare_variants(results).set_index("idea").loc["MPP"]
    assert row["repeats"] == 10
    assert row["difference"] == pytest.approx(0.1 + DRAWS.mean())
    assert row["p"] == pytest.approx(stats.ttest_1samp(0.1 + DRAWS, 0).pvalue)
    doubled = pd.concat([results, results[results["count"] == 50].assign(count=60)])
    assert compare_variants(doubled).set_index("idea").loc["MPP", "p"] == pytest.approx(row["p"])


def test_ideas_stand_as_they_are_and_the_rest_is_corrected(results: pd.DataFrame) -> None:
    more = pd.concat([results, results[results["variant"] == "ridge"].assign(variant="without_both")])
    table = compare_variants(more)
    ideas, rest = table[table["idea"] != ""], table[table["idea"] == ""]
    assert ideas["idea"].tolist() == ["MPP", "QGR"]
    assert (ideas["p_holm"] == ideas["p"]).all()
    assert len(rest) == 3
    smallest = rest["p"].idxmin()
    assert rest.loc[smallest, "p_holm"] == pytest.approx(min(3 * rest.loc[smallest, "p"], 1))


def test_holms_method_on_a_known_example() -> None:
    corrected = holm(pd.Series([0.01, 0.04, np.nan, 0.03, 0.005]))
    assert corrected.tolist() == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)


def test_comparisons_are_read_across(results: pd.DataFrame) -> None:
    table = comparison_table(compare_variants(results))
    assert table.columns.tolist()[1:] == ["10 labels", "50 labels"]
    assert table.iloc[0, 0] == "MPP: MPP + QGR (full) − without MPP"


def test_a_grid_of_one_variant_has_no_comparisons(results: pd.DataFrame) -> None:
    assert compare_variants(results[results["variant"] == "ridge"]).empty


def test_splits_are_paired_within_the_variant_of_a_choice(results: pd.DataFrame) -> None:
    base = results[results["count"] == 50]
    worse = base[base["variant"] == "full"].assign(srcc=lambda rows: rows["srcc"] - 0.1)[::-1]
    same = base[base["variant"] == "ridge"]
    changes = {"same": {"variant": "ridge", "finetune.steps": 1}, "worse": {"qgr.when": "never"}}
    table = compare_choices({"same": same, "worse": worse}, base, changes)
    assert table["choice"].tolist() == ["worse", "same"]
    assert table["difference"].tolist() == pytest.approx([-0.1, 0])
    assert table["changes"].tolist() == ["qgr.when never", "variant ridge, finetune.steps 1"]
    assert table["p_holm"].iloc[0] < 0.001
    assert compare_choices({}, base, {}).empty


def test_a_variant_of_choices_alone_is_compared_with_its_sibling(results: pd.DataFrame) -> None:
    base = results[results["count"] == 50]
    base = base.assign(variant=base["variant"].replace("full", "full_probe"))
    own = base[base["variant"] == "full_probe"].assign(variant="without_mpp_probe")
    own["srcc"] -= 0.05
    table = compare_choices({"probe_without_mpp": own}, base, {"probe_without_mpp": {"variant": "without_mpp_probe"}})
    assert table["difference"].tolist() == pytest.approx([-0.05])


def test_strengths_are_compared_with_none_in_the_same_repeat() -> None:
    swept = pd.DataFrame([(s, r, r + 0.1 * s) for s in (0.0, 1.0, 2.0) for r in REPEATS])
    swept.columns = ["strength", "repeat", "srcc"]
    assert against_zero(swept)["difference"].tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("difference", "p", "words"), [(0.1, 0.01, "adds 0.100"), (-0.1, 0.01, "costs 0.100"), (0.1, 0.2, "no difference")]
)
def test_a_difference_is_claimed_only_where_p_is_small(difference: float, p: float, words: str) -> None:
    row = pd.Series({"difference": difference, "low": difference - 0.05, "high": difference + 0.05, "p": p})
    sentence = claim("MPP", row)
    assert words in sentence
    assert f"{difference - 0.05:+.3f} to {difference + 0.05:+.3f}" in sentence
    assert ("can be claimed" in sentence) == (p > 0.05)


def test_nothing_is_claimed_at_the_bound_itself() -> None:
    row = pd.Series({"difference": 0.1, "low": 0.0, "high": 0.2, "p": 0.05})
    assert "no difference of SRCC can be claimed" in claim("MPP", row)
