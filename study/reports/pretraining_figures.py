"""Figures of the text tower's alignment and of pre-training."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from grmp.metrics import srcc
from study.reports.style import FAINT, closed, level_line, new_axes

LOSSES = {
    "support": ("inner: support, before the task's adaptation", "#D55E00", "--"),
    "query": ("outer: query, after it", "#0072B2", "-"),
}


def loss_curves(losses: pd.DataFrame, floor: float | None = None, smooth: int = 7) -> Figure:
    """Inner and outer losses against the outer step: as they were, faint, and their running mean.

    Args:
        losses: columns step, support, query; one row per outer step, or several, then averaged.
        floor: entropy of the labels (nats), the loss of a model that predicts every score exactly; drawn as a line.
        smooth: outer steps in the running mean, centred.
    """
    axes = new_axes()
    over = losses.groupby("step")[list(LOSSES)].mean()
    for column, (label, colour, dash) in LOSSES.items():
        axes.plot(over.index, over[column], color=colour, alpha=0.25, linewidth=1)
        running = over[column].rolling(smooth, center=True, min_periods=1).mean()
        axes.plot(over.index, running, color=colour, linestyle=dash, label=label)
    axes.set(xlabel="outer step", ylabel="quality loss (cross-entropy, nats)")
    axes.margins(x=0.01)
    axes.legend(loc="best", title=f"running mean of {smooth} steps")
    if floor is not None:
        level_line(axes, floor, "label entropy")
    return closed(axes.figure)


def query_plot(predicted: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> Figure:
    """Label against quality as the pre-trained prompts predict it, of the query images."""
    axes = new_axes(4.2, 3.8)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, alpha=0.6)
    axes.scatter(predicted, truth, s=9, alpha=0.5, color="#0072B2", linewidth=0)
    axes.set(xlabel="predicted quality", ylabel="label", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"SRCC {srcc(predicted, truth):.3f}")
    return closed(axes.figure)


def task_plot(ranks: pd.Series) -> Figure:
    """SRCC of every task on its query images, the highest at the top."""
    axes = new_axes(7.2, 0.2 * len(ranks) + 0.8)
    axes.hlines(ranks.index, 0, ranks, color="#0072B2", linewidth=2)
    axes.plot(ranks, ranks.index, "o", color="#0072B2")
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set(xlabel="SRCC on the query photographs")
    return closed(axes.figure)


def alignment_plot(losses: pd.DataFrame) -> Figure:
    """Both losses of the text tower's alignment: columns step, caption, scene (nats)."""
    axes = new_axes(7.2, 3.4)
    axes.plot(losses["step"], losses["caption"], label="captions", color="#0072B2")
    axes.plot(losses["step"], losses["scene"], label="scenes", color="#D55E00", linestyle="--")
    axes.set(xlabel="step", ylabel="cross-entropy (nats)", ylim=(0, None))
    axes.legend()
    return closed(axes.figure)
