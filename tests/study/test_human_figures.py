import numpy as np
import pandas as pd
import pytest

from study.reports.human_figures import beside_published, farthest, join_images, scene_errors
from study.reports.published import published
from study.reports.style import set_style


def results() -> pd.DataFrame:
    rows = [
        {"variant": variant, "count": 50, "repeat": repeat, "srcc": base + repeat / 100}
        for variant, base in (("full", 0.7), ("ridge", 0.6))
        for repeat in range(1, 11)
    ]
    return pd.DataFrame([*rows, {"variant": "full", "count": 10, "repeat": 1, "srcc": 0.1}])


def test_ours_and_the_published_stand_in_order() -> None:
    set_style()
    figure = beside_published(results(), published("LIVEC", [50]), 50)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[0] == "HyperIQA"
    assert names[-1] == "GRMP-IQA, as published"
    assert names.index("frozen CLIP + ridge") < names.index("TReS") < names.index("MPP + QGR (full)")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["10 labels", "50 labels"]
    assert "median of 10 splits, 97.9 % interval" in figure.get_supxlabel()


def test_only_our_rows_have_an_interval() -> None:
    axes = beside_published(results(), published("LIVEC", [50]), 50).axes[1]
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(sorted(map(tuple, intervals)), [(0.62, 0.69), (0.72, 0.79)])


def test_the_farthest_come_first_by_their_mean_over_the_splits() -> None:
    images = pd.DataFrame({"image": ["a", "b"], "scene": ["x", "y"], "score": [0.5, 0.5]})
    predictions = pd.DataFrame({"variant": "full", "place": [0, 1, 1], "predicted": [0.6, 0.0, 0.2]})
    table = farthest(join_images(predictions, images), "full", 1)
    assert table["image"].tolist() == ["b"]
    assert table["difference"].tolist() == pytest.approx([-0.4])


def test_errors_are_means_by_scene_and_variant() -> None:
    predictions = pd.DataFrame(
        {
            "variant": ["full", "full", "full", "ridge"],
            "place": [0, 1, 2, 2],
            "scene": ["night", "night", "still_life", "still_life"],
            "predicted": [0.5, 0.7, 0.2, 0.6],
            "score": [0.4, 0.4, 0.3, 0.3],
        }
    )
    axes = scene_errors(predictions).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["still life (n = 1)", "night (n = 2)"]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.1, 0.2])
    np.testing.assert_allclose(axes.lines[1].get_xdata(), [0.3, np.nan])
