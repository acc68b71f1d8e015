from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from study.reports.figures import _spread, lambda_plot, learning_curves, optimism_plot
from study.reports.pictures import contact_sheet, prediction_grid, save_png
from study.reports.style import set_style, t_interval
from study.reports.training_figures import angle_plot, loss_curves
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
    assert sorted(texts(figure)) == sorted(style.title for style in VARIANTS.values())
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


@pytest.mark.parametrize(("count", "rows", "columns"), [(3, 1, 3), (4, 2, 3), (6, 2, 3)])
def test_many_numbers_of_labels_are_in_rows_of_three(
    results: pd.DataFrame, count: int, rows: int, columns: int
) -> None:
    many = pd.concat([results.query("count == 50").assign(labels=size, count=size) for size in range(10, 10 + count)])
    figure = optimism_plot(many)
    grid = figure.axes[0].get_gridspec()
    assert (len(figure.axes), grid.nrows, grid.ncols) == (count, rows, columns)


def test_optimism_plot_tells_the_gain_and_leaves_out_what_has_no_steps(results: pd.DataFrame) -> None:
    figure = optimism_plot(results)
    assert len(figure.axes) == len(BUDGETS)
    assert set(texts(figure)) == {"+0.020"}
    assert "frozen CLIP + ridge" not in [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert figure.axes[2].get_title(loc="left") == "0.2 = 80 labels, n = 4"


def test_lambda_plot_shows_every_repeat() -> None:
    frame = pd.DataFrame([(s, r, 0.6 + 0.01 * r) for s in (0, 0.5, 1, 5) for r in range(3)])
    frame.columns = ["strength", "repeat", "srcc"]
    axes = lambda_plot(frame).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.5", "1", "5"]
    dots = next(line for line in axes.lines if line.get_linestyle() == "None" and len(line.get_ydata()) == len(frame))
    assert sorted(dots.get_ydata()) == sorted(frame["srcc"])


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


def test_loss_curves_smooth_by_a_centred_mean() -> None:
    values = np.array([3.0, 0.0, 3.0, 0.0, 3.0])
    frame = pd.DataFrame({"step": range(5), "support": values, "query": values})
    lines = loss_curves(frame, smooth=3).axes[0].lines
    assert len(lines) == 4
    assert lines[1].get_ydata() == pytest.approx([1.5, 2, 1, 2, 1.5])


def test_contact_sheet_has_a_cell_per_image_and_bears_short_rows() -> None:
    image = np.zeros((8, 12, 3), dtype=np.uint8)
    figure = contact_sheet([[image] * 3, [image]], ["blur", "noise"], ["1", "2", "3"])
    assert sum(len(axes.images) for axes in figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes[:3]] == ["1", "2", "3"]


def test_prediction_grid_puts_the_nearest_above_and_the_farthest_below() -> None:
    images = [np.full((8, 8, 3), shade, dtype=np.uint8) for shade in range(5)]
    predicted, true = np.array([1, 2, 3, 4, 5.0]), np.array([1, 2.5, 3.1, 1, 3.0])
    axes = prediction_grid(images, predicted, true, ["a", "b", "c", "d", "e"], each=2).axes
    assert [cell.images[0].get_array()[0, 0, 0] for cell in axes] == [0, 2, 3, 4]
    assert axes[2].get_xlabel() == "predicted 4.00\ntrue 1.00"


def test_figures_are_closed_so_that_notebooks_show_them_once(results: pd.DataFrame) -> None:
    plt.close("all")
    learning_curves(results)
    optimism_plot(results)
    contact_sheet([[np.zeros((4, 4, 3))]], ["a"], ["b"])
    assert plt.get_fignums() == []


def test_a_saved_figure_is_a_whole_png(results: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "new/curves.png"
    save_png(path, learning_curves(results))
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
    assert list(path.parent.iterdir()) == [path]
