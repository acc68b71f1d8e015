"""Figures of what happens during training, against the step."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grmp.report import FAINT, closed, new_axes, variants_in
from grmp.variants import VARIANTS

LOSSES = {
    "support": ("inner: support, before the task's adaptation", "#D55E00", "--"),
    "query": ("outer: query, after it", "#0072B2", "-"),
}


def angle_plot(steps: pd.DataFrame) -> Figure:
    """Angle between the quality and the semantic gradient: mean line, and band from the least to the greatest repeat.

    Args:
        steps: columns variant, repeat, step, cosine (-1 to 1, of the angle).
    """
    axes = new_axes()
    angles = steps.assign(angle=np.degrees(np.arccos(steps["cosine"].clip(-1, 1))))
    for variant in variants_in(angles["variant"]):
        style = VARIANTS[variant]
        over = angles[angles["variant"] == variant].groupby("step")["angle"].agg(["mean", "min", "max"])
        axes.plot(over.index, over["mean"], color=style.colour, linestyle=style.dash, label=style.title)
        axes.fill_between(over.index, over["min"], over["max"], color=style.colour, alpha=0.15, linewidth=0)
    _orthogonal_line(axes)
    axes.set(xlabel="step", ylabel="angle of quality to semantic gradient (degrees)", ylim=_with_right_angle(angles))
    axes.margins(x=0.01)
    repeats = angles["repeat"].nunique()
    axes.set_title(f"mean and range of {repeats} repeats" if repeats > 1 else "one repeat")
    axes.legend(loc="best")
    return closed(axes.figure)


def _orthogonal_line(axes: Axes) -> None:
    axes.axhline(90, color=FAINT, linewidth=1, zorder=1)
    place = {"xy": (1, 90), "xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate("orthogonal", **place, va="center", color=FAINT, fontsize=9)


def _with_right_angle(angles: pd.DataFrame) -> tuple[float, float]:
    low, high = min(angles["angle"].min(), 90), max(angles["angle"].max(), 90)
    margin = max(0.08 * (high - low), 2)
    return low - margin, high + margin


def loss_curves(losses: pd.DataFrame, smooth: int = 7) -> Figure:
    """Inner and outer losses against the outer step: as they were, faint, and their running mean.

    Args:
        losses: columns step, support, query; one row per outer step, or several, then averaged.
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
    return closed(axes.figure)
