import colorsys
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from grmp.params import Variant
from grmp.report import VARIANT_STYLE, copy_table, label_name, set_style, t_interval, title, variants_in


def test_every_variant_of_the_grid_has_a_style() -> None:
    assert set(VARIANT_STYLE) == set(Variant.__args__)
    assert title("without_mpp") == "without MPP"


def test_variants_differ_in_marker_dash_and_colour() -> None:
    for one, other in combinations(VARIANT_STYLE.values(), 2):
        assert one.marker != other.marker
        assert one.dash != other.dash
        assert np.abs(np.subtract(to_rgb(one.colour), to_rgb(other.colour))).max() > 0.2


def test_colours_are_dark_enough_for_text_on_white() -> None:
    for style in VARIANT_STYLE.values():
        assert colorsys.rgb_to_hls(*to_rgb(style.colour))[1] < 0.55


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
