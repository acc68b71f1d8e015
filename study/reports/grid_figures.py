"""Figures of the grid's results: against labels, optimism, strength of the projection."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.reports.looks import LOOKS
from study.reports.style import FAINT, closed, label_name, new_axes, t_interval, title, variants_in
from study.variants import VARIANTS

DODGE = 0.02  # of the axis, in factors of ten: enough that error bars at the same count do not hide each other
ACROSS = 3  # panels side by side
CLOSE = 1.25  # the ratio of two counts under which the smaller is left out of the learning curves


def learning_curves(results: pd.DataFrame, metric: str = "srcc") -> Figure:
    """The metric against the number of labels: mean over the repeats with its 95 % interval, one line per variant.

    A number of labels that lies close under a larger one is left out, as their points would mix.

    Args:
        results: columns variant, labels (as in params.yaml), count (images), repeat, and the metric.
        metric: name of the column.
    """
    axes = new_axes(7.6, 4.4)
    results = results[results["count"].isin(_apart(results["count"].unique()))]
    variants = variants_in(results["variant"])
    ends: dict[str, tuple[float, float]] = {}
    for variant, shift in zip(variants, _shifts(len(variants)), strict=True):
        over = _intervals(results[results["variant"] == variant], "count", metric)
        x = over.index * 10**shift
        axes.errorbar(x, over["mean"], over["half"], **LOOKS[variant].line, elinewidth=1.2, capsize=0)
        ends[variant] = (x[-1], over["mean"].iloc[-1])
    _label_ticks(axes, results)
    _label_ends(axes, ends)
    axes.set(xlabel="labelled images", ylabel=metric.upper())
    axes.set_title(_of_repeats(results, "with its 95 % interval"))
    return closed(axes.figure)


def _of_repeats(results: pd.DataFrame, drawn: str) -> str:
    repeats = results["repeat"].nunique()
    return f"mean of {repeats} repeats {drawn}" if repeats > 1 else "one repeat"


def _apart(counts: np.ndarray) -> list[int]:
    kept: list[int] = []
    for count in sorted(counts, reverse=True):
        if not kept or kept[-1] / count >= CLOSE:
            kept.append(count)
    return kept


def _shifts(n: int) -> np.ndarray:
    return (np.arange(n) - (n - 1) / 2) * DODGE


def _intervals(frame: pd.DataFrame, by: str, metric: str) -> pd.DataFrame:
    rows = {key: t_interval(values) for key, values in frame.groupby(by)[metric]}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "half"]).sort_index()


def _label_ticks(axes: Axes, results: pd.DataFrame) -> None:
    names = {row.count_: label_name(row.labels, row.count_) for row in _budgets(results).itertuples()}
    axes.set_xscale("log")
    axes.set_xticks(list(names), list(names.values()))
    axes.set_xticks([], minor=True)
    counts = np.array(list(names), dtype=float)
    axes.set_xlim(counts.min() / 1.25, counts.max() * 1.25)


def _budgets(results: pd.DataFrame) -> pd.DataFrame:
    return (
        results[["labels", "count"]].drop_duplicates("count").rename(columns={"count": "count_"}).sort_values("count_")
    )


def _label_ends(axes: Axes, ends: dict[str, tuple[float, float]]) -> None:
    # Labels at the lines' own heights would overlap where lines meet: spread them, in the lines' order.
    bottom, top = axes.get_ylim()
    order = sorted(ends, key=lambda variant: ends[variant][1])
    heights = _spread([ends[variant][1] for variant in order], 0.058 * (top - bottom))
    for variant, height in zip(order, heights, strict=True):
        style = LOOKS[variant]
        place = {"xy": ends[variant], "xytext": (1.03, height), "xycoords": "data"}
        line = {"arrowstyle": "-", "color": style.colour, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4}
        axes.annotate(
            style.title, **place, textcoords=("axes fraction", "data"), arrowprops=line, va="center",
            color=style.colour, fontsize=9, annotation_clip=False,
        )  # fmt: skip


def _spread(heights: Sequence[float], gap: float) -> np.ndarray:
    """Heights in rising order moved as little as needed to be `gap` apart, their middle kept."""
    spread = np.array(heights, dtype=float)
    for index in range(1, len(spread)):
        spread[index] = max(spread[index], spread[index - 1] + gap)
    return spread - (spread - heights).mean()


def optimism_plot(results: pd.DataFrame, honest: str = "srcc", picked: str = "srcc_best") -> Figure:
    """The last step's value against the best step's, picked on the test part: what such a choice adds to a table.

    Args:
        results: columns variant, labels, count, repeat, and the two below; only fine-tuned variants have steps.
        honest: column of the metric at the last step.
        picked: column of the metric at the step that is best on the test part.
    """
    results = results[[VARIANTS[variant].tuned for variant in results["variant"]]]
    budgets = _budgets(results)
    variants = variants_in(results["variant"])
    columns = min(len(budgets), ACROSS)
    rows = -(-len(budgets) // columns)
    size = (3.0 * columns + 1.6, rows * (0.42 * len(variants) + 0.8) + 0.7)
    figure, panels = plt.subplots(rows, columns, figsize=size, sharey=True, sharex=True, squeeze=False)
    for axes in panels.flat[len(budgets) :]:
        axes.remove()
    for axes, budget in zip(panels.flat, budgets.itertuples()):
        part = results[results["count"] == budget.count_]
        for row, variant in enumerate(reversed(variants)):
            _dumbbell(axes, row, part[part["variant"] == variant], (honest, picked))
        axes.set_title(f"{label_name(budget.labels, budget.count_)} labels, n = {part['repeat'].nunique()}")
        axes.grid(visible=False, axis="y")
        axes.margins(y=0.12)
    left, right = panels[0, 0].get_xlim()
    panels[0, 0].set_xlim(left, right + 0.3 * (right - left))  # room for the numbers
    panels[0, 0].set_yticks(range(len(variants)), [title(variant) for variant in reversed(variants)])
    figure.supxlabel(
        f"{honest.upper()}, mean of n repeats:  ● last step   ○ best step, picked on the test part", fontsize=10
    )
    return closed(figure)


def _dumbbell(axes: Axes, row: int, part: pd.DataFrame, columns: tuple[str, str]) -> None:
    if part.empty:
        return
    colour = LOOKS[part["variant"].iloc[0]].colour
    honest, picked = part[list(columns)].mean()
    axes.plot([honest, picked], [row, row], color=colour, linewidth=1.5, zorder=2)
    axes.plot(honest, row, "o", color=colour, zorder=3)
    axes.plot(picked, row, "o", markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.5, zorder=3)
    place = {"xy": (max(honest, picked), row), "xytext": (8, 0), "textcoords": "offset points"}
    axes.annotate(f"{picked - honest:+.3f}", **place, va="center", fontsize=9)


def lambda_plot(results: pd.DataFrame, metric: str = "srcc") -> Figure:
    """The metric against QGR's strength: mean with its 95 % interval, and every repeat as a light dot.

    Args:
        results: columns strength (lambda, 0 or more), repeat, and the metric; all with the same number of labels.
        metric: name of the column.
    """
    axes = new_axes(6.4, 4.0)
    style = LOOKS["full"]
    axes.axvline(1, color=FAINT, linewidth=1, zorder=1)
    note = {"xy": (1, 1), "xycoords": ("data", "axes fraction"), "xytext": (4, -2), "textcoords": "offset points"}
    axes.annotate("orthogonal projection", **note, va="top", color=FAINT, fontsize=9)
    # Beside the interval, which would hide them.
    beside = results["strength"] + 0.015 * np.ptp(results["strength"])
    axes.plot(beside, results[metric], "o", color=style.colour, alpha=0.35, markersize=4.5, mew=0)
    over = _intervals(results, "strength", metric)
    axes.errorbar(over.index, over["mean"], over["half"], color=style.colour, marker="o", elinewidth=1.4)
    axes.set_xticks(over.index, [f"{strength:g}" for strength in over.index])
    axes.set(xlabel="λ, strength of the projection (0: without QGR)", ylabel=metric.upper())
    axes.set_title(_of_repeats(results, "with its 95 % interval; dots: repeats"))
    return closed(axes.figure)
