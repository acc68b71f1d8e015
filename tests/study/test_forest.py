import numpy as np
import pandas as pd

from study.reports.forest import comparisons_plot, forest_plot, ideas_plot

ROWS = pd.DataFrame(
    {
        "idea": ["MPP", ""],
        "a": ["full", "full"],
        "b": ["without_mpp", "ridge"],
        "difference": [0.1, -0.02],
        "low": [0.05, -0.05],
        "high": [0.15, 0.01],
        "p": [0.001, 0.2],
        "p_holm": [0.001, 0.4],
    }
)


def test_the_first_row_is_at_the_top_and_only_what_is_claimed_is_filled() -> None:
    axes = forest_plot(ROWS, ["first", "second"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["second", "first"]
    dots = {line.get_xdata()[0]: line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"}
    assert dots[-0.02] == "white"
    assert dots[0.1] != "white"
    assert "+0.100, p = 0.001" in {text.get_text() for text in axes.texts}


def test_a_line_parts_what_was_stated_from_the_exploratory() -> None:
    axes = comparisons_plot(ROWS).axes[0]
    assert [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [0.5]
    assert not [line for line in comparisons_plot(ROWS.head(1)).axes[0].lines if line.get_linestyle() == ":"]


def test_an_idea_has_a_point_per_target() -> None:
    other = ROWS.assign(difference=[0.2, 0.0], low=np.nan, high=np.nan)
    axes = ideas_plot({"one": ROWS, "other": other}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["MPP"]
    assert {text.get_text() for text in axes.texts} == {"+0.100", "+0.200"}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]
