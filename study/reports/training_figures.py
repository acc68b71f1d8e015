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
from study.reports.style import FAINT, closed, new_axes, title, variants_in

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
        style = LOOKS[variant]
        over = angles[angles["variant"] == variant].groupby("step")["angle"].agg(["mean", "min", "max"])
        axes.plot(over.index, over["mean"], color=style.colour, linestyle=style.dash, label=style.title)
        axes.fill_between(over.index, over["min"], over["max"], color=style.colour, alpha=0.15, linewidth=0)
    _orthogonal_line(axes)
    axes.set(xlabel="step", ylabel="angle of quality to semantic gradient (degrees)", ylim=_with_right_angle(angles))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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


def loss_plot(steps: pd.DataFrame) -> Figure:
    """Quality and semantic loss against the step, a line and a band per variant.

    Args:
        steps: columns variant, repeat, step, quality, semantic (nats).
    """
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4))
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


def variant_table(results: pd.DataFrame) -> pd.DataFrame:
    """A row per variant: mean SRCC, PLCC, KRCC and RMSE of the last step, and SRCC of the best one."""
    columns = ["srcc", "plcc", "krcc", "rmse", "srcc_best"]
    table = results.groupby("variant")[columns].mean().loc[variants_in(results["variant"])].reset_index()
    table["variant"] = table["variant"].map(title)
    names = {"srcc": "SRCC", "plcc": "PLCC", "krcc": "KRCC", "rmse": "RMSE", "srcc_best": "SRCC of the best step"}
    return table.rename(columns=names)


def training_findings(results: pd.DataFrame, steps: pd.DataFrame) -> str:
    """What the cells of one number of labels show, in a few sentences computed from their numbers."""
    means = results.groupby("variant")["srcc"].mean()
    best, count = means.idxmax(), results["count"].iloc[0]
    sentences = [
        f"With {count} labels the highest mean SRCC is {means[best]:.3f}, of *{title(best)}*; "
        f"the lowest is {means.min():.3f}, of *{title(means.idxmin())}*."
    ]
    tuned = results[results["variant"].isin(steps["variant"])]
    if len(tuned):
        gap = (tuned["srcc_best"] - tuned["srcc"]).mean()
        sentences.append(f"Picking the best step on the test part would have added {gap:.3f} on average.")
    known = steps.dropna(subset="cosine") if len(steps) else steps
    if len(known):
        share = (known["cosine"] > 0).mean()
        sentences.append(f"The quality and the semantic gradient agree in {share:.0%} of the steps measured.")
    return " ".join(sentences)
