import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.reports.intervals import median_interval, median_level, t_interval
from study.reports.looks import title, variants_in
from study.reports.markdown import copy_table
from study.reports.style import set_style
from study.reports.tables import label_name


def test_a_variant_has_a_title() -> None:
    assert title("without_mpp") == "without MPP"


def test_variants_keep_the_order_of_the_study() -> None:
    assert variants_in(["ridge", "full", "ridge"]) == ["full", "ridge"]


def test_set_style_gives_white_figures() -> None:
    set_style()
    assert plt.rcParams["figure.facecolor"] == "white"
    assert plt.rcParams["figure.dpi"] == 110


def test_t_interval_is_scipys() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, half = t_interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert t_interval([0.3]) == (0.3, 0.0)


@pytest.mark.parametrize(("labels", "text"), [(50, "50"), (50.0, "50"), (0.2, "0.2 = 80")])
def test_label_name(labels: float, text: str) -> None:
    assert label_name(labels, 80 if labels < 1 else 50) == text


def test_copy_table_is_markdown() -> None:
    frame = pd.DataFrame({"variant": ["a|b"], "srcc": [0.12345], "n": [5]})
    assert copy_table(frame) == "| variant | srcc | n |\n| :--- | ---: | ---: |\n| a\\|b | 0.123 | 5 |"


@pytest.mark.parametrize(("n", "low"), [(1, 1), (5, 1), (8, 1), (9, 2), (10, 2), (20, 6)])
def test_the_medians_interval_leaves_out_as_many_values_as_the_sign_test_allows(n: int, low: int) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    assert median_interval(values) == (np.median(values), low, n + 1 - low)
    covered = [1 - 2 * stats.binom.cdf(rank - 1, n, 0.5) for rank in (low, low + 1)]
    assert covered[0] >= 0.95 or low == 1
    assert covered[1] < 0.95


@pytest.mark.parametrize(("n", "level"), [(5, 0.9375), (10, 0.978515625), (1, 0.0)])
def test_the_medians_interval_is_called_by_its_true_level(n: int, level: float) -> None:
    assert median_level(n) == pytest.approx(level)
