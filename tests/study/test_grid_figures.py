import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from study.reports.comparisons import against_zero
from study.reports.grid_figures import _spread, lambda_plot, learning_curves, optimism_plot
from study.reports.intervals import t_interval
from study.reports.looks import LOOKS
from study.reports.style import set_style
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


def test_figures_are_closed_so_that_notebooks_show_them_once(results: pd.DataFrame) -> None:
    plt.close("all")
    learning_curves(results)
    optimism_plot(results)
    assert plt.get_fignums() == []
