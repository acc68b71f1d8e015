import matplotlib.pyplot as plt
import pandas as pd
import pytest
from scipy import stats

from grmp.report import copy_table, label_name, set_style, t_interval, title, variants_in


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
