import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from study.reports.comparisons import against_zero
from study.reports.grid_figures import _spread, lambda_plot, learning_curves, optimism_plot
from study.reports.intervals import t_interval
from study.reports.looks import LOOKS
from study.reports.pretraining_figures import loss_curves
from study.reports.style import set_style
from study.reports.training_figures import angle_plot
from study.variants import VARIANTS

plt.switch_backend("Agg")
BUDGETS = [(10, 10), (50, 50), (0.2, 80)]


@pytest.fixture(autouse=True)
def _style() -> None:
    set_style()


@pytest.fixture
def results() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    keys = [(v, labels, count, r) for v in VARIANTS for labels, count in BUDGETS for r in range(4)]
    frame = pd.DataFrame(keys, columns=["variant", "labels", "count", "repeat"])
    frame["srcc"] = generator.uniform(0.5, 0.7, len(frame))
    frame["srcc_best"] = (frame["srcc"] + 0.02).where(frame["variant"] != "ridge")
    return frame


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_learning_curves_show_means_and_intervals_of_every_variant(results: pd.DataFrame) -> None:
    figure = learning_curves(results)
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "50", "0.2 = 80"]
    assert sorted(texts(figure)) == sorted(style.title for style in LOOKS.values())
    line, _, (bars,) = axes.containers[0].lines
    values = results.query("variant == 'full' and count == 10")["srcc"]
    mean, half = t_interval(values)
    assert line.get_ydata()[0] == pytest.approx(mean)
    assert np.ptp(bars.get_segments()[0][:, 1]) == pytest.approx(2 * half)


def test_learning_curves_are_dodged(results: pd.DataFrame) -> None:
    starts = [container.lines[0].get_xdata()[0] for container in learning_curves(results).axes[0].containers]
    assert len(set(starts)) == len(VARIANTS)
    assert np.allclose(np.log10(starts).mean(), 1)


def test_a_count_close_under_another_is_left_out(results: pd.DataFrame) -> None:
    near = results.query("count == 80").assign(labels=74, count=74)
    axes = learning_curves(pd.concat([near, results])).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "50", "0.2 = 80"]
    assert all(len(container.lines[0].get_xdata()) == 3 for container in axes.containers)


def test_a_single_repeat_and_a_single_count_can_be_drawn(results: pd.DataFrame) -> None:
    few = results.query("repeat == 0 and count == 50")
    figure = learning_curves(few)
    figure.canvas.draw()
    assert figure.axes[0].get_title(loc="left") == "one repeat"


def test_spread_labels_keep_their_order_and_distance() -> None:
    spread = _spread([0.50, 0.51, 0.90], 0.1)
    assert np.diff(spread).min() >= 0.1 - 1e-12
    assert spread.mean() == pytest.approx(np.mean([0.50, 0.51, 0.90]))
    assert _spread([1.0, 2.0], 0.1) == pytest.approx([1.0, 2.0])


def test_optimism_is_the_gain_of_the_best_step_and_leaves_out_what_has_no_steps(results: pd.DataFrame) -> None:
    figure = optimism_plot(results)
    assert set(texts(figure)) == {LOOKS[name].title for name, variant in VARIANTS.items() if variant.tuned}
    lines = [container.lines[0] for container in figure.axes[0].containers]
    assert all(line.get_ydata() == pytest.approx([0.02] * len(BUDGETS)) for line in lines)


def test_lambda_plot_shows_every_repeats_gain_over_no_projection() -> None:
    frame = pd.DataFrame([(s, r, 0.6 + 0.1 * r + 0.01 * s) for s in (0, 0.5, 1, 5) for r in range(3)])
    frame.columns = ["strength", "repeat", "srcc"]
    axes = lambda_plot(frame, against_zero(frame)).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.5", "1", "5"]
    dots = [line.get_ydata() for line in axes.lines if line.get_linestyle() == "None" and line.get_alpha()]
    np.testing.assert_allclose(dots, [[0.005] * 3, [0.01] * 3, [0.05] * 3])


def test_angle_plot_is_in_degrees_with_ninety_in_sight() -> None:
    frame = pd.DataFrame([("full", r, t, 0.5) for r in range(2) for t in range(3)])
    frame.columns = ["variant", "repeat", "step", "cosine"]
    figure = angle_plot(frame)
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([60, 60, 60])
    assert axes.get_ylim()[0] < 60 < 90 < axes.get_ylim()[1]
    assert "orthogonal" in texts(figure)


def test_a_cosine_that_rounding_put_over_one_is_an_angle_of_zero() -> None:
    frame = pd.DataFrame({"variant": "full", "repeat": 0, "step": [0, 1], "cosine": [1 + 1e-7, 1.0]})
    assert angle_plot(frame).axes[0].lines[0].get_ydata() == pytest.approx([0, 0])


def test_a_variant_that_is_fine_tuned_as_another_is_not_drawn_again() -> None:
    rows = [("full", 1, 0.5), ("full", 2, 0.4), ("without_qgr", 1, 0.2), ("without_qgr", 2, 0.1)]
    rows += [("full_probe", 1, 0.5), ("full_probe", 2, 0.4)]
    frame = pd.DataFrame(rows, columns=["variant", "step", "cosine"]).assign(repeat=1)
    drawn = {text.get_text() for text in angle_plot(frame).axes[0].get_legend().get_texts()}
    assert drawn == {LOOKS["full"].title, LOOKS["without_qgr"].title}


def test_loss_curves_smooth_by_a_centred_mean() -> None:
    values = np.array([3.0, 0.0, 3.0, 0.0, 3.0])
    frame = pd.DataFrame({"step": range(5), "support": values, "query": values})
    lines = loss_curves(frame, smooth=3).axes[0].lines
    assert len(lines) == 4
    assert lines[1].get_ydata() == pytest.approx([1.5, 2, 1, 2, 1.5])


def test_the_floor_of_the_loss_is_named() -> None:
    frame = pd.DataFrame({"step": range(3), "support": 1.0, "query": 1.0})
    assert texts(loss_curves(frame)) == []
    assert texts(loss_curves(frame, 0.5)) == ["label entropy"]


def test_figures_are_closed_so_that_notebooks_show_them_once(results: pd.DataFrame) -> None:
    plt.close("all")
    learning_curves(results)
    optimism_plot(results)
    assert plt.get_fignums() == []
