"""Figures of what happens during training, against the step."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from grmp.metrics import srcc
from study.reports.looks import LOOKS
from study.reports.style import FAINT, closed, new_axes, variants_in

LOSSES = {
    "support": ("inner: support, before the task's adaptation", "#D55E00", "--"),
    "query": ("outer: query, after it", "#0072B2", "-"),
}


def angle_plot(steps: pd.DataFrame) -> Figure:
    """Angle between the quality and the semantic gradient: mean line, and band from the least to the greatest repeat.

    Args:
        steps: columns variant, repeat, step, cosine (-1 to 1, of the angle).
    """
    axes, steps = new_axes(), _tuned_apart(steps)
    angles = steps.assign(angle=np.degrees(np.arccos(steps["cosine"].clip(-1, 1))))
    for variant in variants_in(angles["variant"]):
        style = LOOKS[variant]
        over = angles[angles["variant"] == variant].groupby("step")["angle"].agg(["mean", "min", "max"])
        axes.plot(over.index, over["mean"], color=style.colour, linestyle=style.dash, label=style.title)
        axes.fill_between(over.index, over["min"], over["max"], color=style.colour, alpha=0.15, linewidth=0)
    _level_line(axes, 90, "orthogonal")
    axes.set(xlabel="step", ylabel="angle of quality to semantic gradient (degrees)", ylim=_with_right_angle(angles))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.01)
    repeats = angles["repeat"].nunique()
    axes.set_title(f"mean and range of {repeats} repeats" if repeats > 1 else "one repeat")
    axes.legend(loc="best")
    return closed(axes.figure)


def _tuned_apart(steps: pd.DataFrame) -> pd.DataFrame:
    """Without the variants that are fine-tuned as an earlier one is, and get a probe afterwards."""
    return steps.drop_duplicates(list(steps.columns.difference(["variant"])))


def _level_line(axes: Axes, height: float, name: str) -> None:
    axes.axhline(height, color=FAINT, linewidth=1, zorder=1)
    place = {"xy": (1, height), "xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate(name, **place, va="center", color=FAINT, fontsize=9)


def _with_right_angle(angles: pd.DataFrame) -> tuple[float, float]:
    low, high = min(angles["angle"].min(), 90), max(angles["angle"].max(), 90)
    margin = max(0.08 * (high - low), 2)
    return low - margin, high + margin


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
        _level_line(axes, floor, "label entropy")
    return closed(axes.figure)


def loss_plot(steps: pd.DataFrame) -> Figure:
    """Quality and semantic loss against the step, a line and a band per variant.

    Args:
        steps: columns variant, repeat, step, quality, semantic (nats).
    """
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4))
    steps = _tuned_apart(steps)
    for axes, column in zip(panels, ("quality", "semantic")):
        for variant in variants_in(steps["variant"]):
            style = LOOKS[variant]
            over = steps[steps["variant"] == variant].groupby("step")[column].agg(["mean", "min", "max"]).dropna()
            axes.plot(over.index, over["mean"], color=style.colour, linestyle=style.dash, label=style.title)
            axes.fill_between(over.index, over["min"], over["max"], color=style.colour, alpha=0.12, linewidth=0)
        axes.set(xlabel="step", ylabel=f"{column} loss (nats)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return closed(figure)


def prediction_panels(predictions: pd.DataFrame, truth: Float[np.ndarray, " n"]) -> Figure:
    """Label against predicted quality, a panel per variant.

    Args:
        predictions: columns variant, place (of the image in `truth`), predicted.
        truth: scores of all images, in [0, 1].
    """
    variants = variants_in(predictions["variant"])
    columns = min(len(variants), 4)
    rows = -(-len(variants) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(2.3 * columns, 2.5 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axes, variant in itertools.zip_longest(panels.flat, variants):
        if variant is None:
            axes.remove()
            continue
        some = predictions[predictions["variant"] == variant]
        labels = truth[some["place"]]
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, alpha=0.6)
        axes.scatter(some["predicted"], labels, s=6, alpha=0.5, color=LOOKS[variant].colour, linewidth=0)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"{LOOKS[variant].title}\nSRCC {srcc(some['predicted'].to_numpy(), labels):.3f}", fontsize=9)
    figure.supxlabel("predicted quality", fontsize=10)
    figure.supylabel("label", fontsize=10)
    return closed(figure)


def query_plot(
    before: Float[np.ndarray, " n"], after: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]
) -> Figure:
    """Label against predicted quality of the query images, with fresh prompts and with the pre-trained ones."""
    figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.6), sharex=True, sharey=True)
    for axes, (name, predicted) in zip(panels, (("fresh prompts", before), ("after pre-training", after)), strict=True):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, alpha=0.6)
        axes.scatter(predicted, truth, s=9, alpha=0.5, color="#0072B2", linewidth=0)
        axes.set(xlabel="predicted quality", xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"{name}: SRCC {srcc(predicted, truth):.3f}")
    panels[0].set_ylabel("label")
    return closed(figure)


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
