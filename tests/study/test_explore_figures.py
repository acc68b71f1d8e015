from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from study.playground.explore_figures import attention_map, compare_figure, look_figure, scene_bars
from study.playground.view import View
from study.reports.style import new_axes, set_style

IMAGE = np.full((64, 80, 3), 90, dtype=np.uint8)


@pytest.fixture
def seen() -> View:
    """The brightest patch is the one in the upper right corner, and `night` the likeliest scene."""
    attention = np.full((3, 3), 0.05, dtype=np.float32)
    attention[0, 2] = 0.2
    scenes = np.full(9, 0.05, dtype=np.float32)
    scenes[5] = 0.6
    crop = torch.full((3, 48, 48), 90, dtype=torch.uint8)
    return View(crop, 0.4, scenes, torch.ones(16) / 4, attention)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with plt.rc_context():
        set_style()
        yield


def titles(axes: list[Axes]) -> list[str]:
    return [panel.get_title(loc="left") for panel in axes]


def test_the_overlay_is_strongest_where_most_attention_is(seen: View) -> None:
    axes = new_axes()
    attention_map(axes, seen, "attention")
    shown = np.asarray(axes.images[1].get_array())
    assert shown.shape == (48, 48)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert row < 16
    assert column >= 32
    assert shown.max() == pytest.approx(1)
    assert axes.get_xlabel() == "60% on patches, brightest 20%"


def test_bars_are_the_probabilities_in_the_scenes_order(seen: View) -> None:
    axes = new_axes()
    scene_bars(axes, {"A": seen, "B": seen})
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths, [*seen.scenes, *seen.scenes], rtol=1e-6)
    assert [text.get_text() for text in axes.get_yticklabels()][5:8] == ["night", "plant", "still life"]


def test_a_look_has_the_scale_the_image_and_its_neighbours(seen: View) -> None:
    figure = look_figure(IMAGE, seen, {"quality": 0.4, "untouched": 0.7, "label": 0.3}, [(IMAGE, "a"), (IMAGE, "b")])
    scale, *panels = figure.axes
    assert [line.get_xdata()[0] for line in scale.lines] == [0.4, 0.7, 0.3]
    assert titles(panels)[:4] == ["image", "class token's attention", "scene probabilities", "nearest labelled images"]
    assert [axes.get_xlabel() for axes in panels[3:]] == ["a", "b"]
    frame = panels[0].patches[0]
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (16, 8, 48)


def test_a_comparison_shows_both_models_and_every_level(seen: View) -> None:
    by_level = {"A": np.linspace(0.8, 0.2, 6), "B": np.full(6, 0.5), "label": np.linspace(0.9, 0.1, 6)}
    figure = compare_figure(IMAGE, {"A": seen, "B": seen}, by_level, 3)
    assert titles(figure.axes)[:3] == ["image", "A", "B"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[3].lines}
    for name, values in by_level.items():
        np.testing.assert_array_equal(lines[name], values)
