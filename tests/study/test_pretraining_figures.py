import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from study.reports.pretraining_figures import loss_curves

plt.switch_backend("Agg")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


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
