"""Figures of fine-tuning, a line or a panel per variant."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from grmp.metrics import srcc
from study.reports.looks import LOOKS, variants_in
from study.reports.style import FAINT, closed, level_line, new_axes


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
    level_line(axes, 90, "orthogonal")
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


def _with_right_angle(angles: pd.DataFrame) -> tuple[float, float]:
    low, high = min(angles["angle"].min(), 90), max(angles["angle"].max(), 90)
    margin = max(0.08 * (high - low), 2)
    return low - margin, high + margin


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


