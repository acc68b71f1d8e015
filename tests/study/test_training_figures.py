import matplotlib.pyplot as plt
import pandas as pd
import pytest

from study.reports.looks import LOOKS
from study.reports.training_figures import angle_plot

plt.switch_backend("Agg")


def test_angle_plot_is_in_degrees_with_ninety_in_sight() -> None:
    frame = pd.DataFrame([("full", r, t, 0.5) for r in range(2) for t in range(3)])
    frame.columns = ["variant", "repeat", "step", "cosine"]
    figure = angle_plot(frame)
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([60, 60, 60])
    assert axes.get_ylim()[0] < 60 < 90 < axes.get_ylim()[1]
    assert "orthogonal" in [text.get_text() for text in axes.texts]


def test_a_cosine_that_rounding_put_over_one_is_an_angle_of_zero() -> None:
    frame = pd.DataFrame({"variant": "full", "repeat": 0, "step": [0, 1], "cosine": [1 + 1e-7, 1.0]})
    assert angle_plot(frame).axes[0].lines[0].get_ydata() == pytest.approx([0, 0])


def test_a_variant_that_is_fine_tuned_as_another_is_not_drawn_again() -> None:
    rows = [("full", 1, 0.5), ("full", 2, 0.4), ("without_qgr", 1, 0.2), ("without_qgr", 2, 0.1)]
    rows += [("full_probe", 1, 0.5), ("full_probe", 2, 0.4)]
    frame = pd.DataFrame(rows, columns=["variant", "step", "cosine"]).assign(repeat=1)
    drawn = {text.get_text() for text in angle_plot(frame).axes[0].get_legend().get_texts()}
    assert drawn == {LOOKS["full"].title, LOOKS["without_qgr"].title}
