from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from study.data.distortions import DISTORTIONS, LEVELS
from study.data.labels import LabelMap
from study.reports.distortion_figures import label_histogram, mixture_sheet, offset_plot, severity_plot, type_sheet


def test_every_type_is_a_row_and_every_level_a_column() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    figure = type_sheet(image, seed=1)
    assert len(figure.axes) == len(DISTORTIONS) * len(LEVELS)


def test_mixtures_go_from_the_best_label_to_the_worst(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    table = {"image": [f"{n}.png" for n in range(4)], "score": [0.3, 0.9, 0.1, 0.5], "distortions": ["1+2"] * 4}
    figure = mixture_sheet(pd.DataFrame(table), tmp_path, count=3)
    shown = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [text.split("\n")[0] for text in shown] == ["0.90", "0.30", "0.10"]


def test_cells_are_points_beside_the_map_and_the_title_has_their_agreement() -> None:
    cells = pd.DataFrame({"type": [1, 1, 10], "similarity": [0.4, 0.8, 0.6], "score": [0.2, 0.7, 0.9]})
    axes = severity_plot(cells, LabelMap([0.0, 1.0], [0.0, 1.0])).axes[0]
    assert sum(len(points.get_offsets()) for points in axes.collections) == 3
    assert "3 cells, SRCC 0.500" in axes.get_title() + axes.get_title(loc="left")


def test_offsets_are_ordered_and_labels_are_counted_per_part() -> None:
    by_type = pd.DataFrame({"name": list("AB"), "offset": [0.2, -0.1], "srcc": [1.0, 0.9]})
    axes = offset_plot(by_type).axes[0]
    assert [text.get_text() for text in axes.texts] == ["SRCC 0.9", "SRCC 1.0"]
    parts = pd.DataFrame({"part": ["pretrain", "train", "test"] * 4, "score": np.linspace(0, 1, 12)})
    legend = label_histogram(parts).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["pretrain", "train", "test"]
