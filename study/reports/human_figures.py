"""Figures of a study on human scores: beside what others report, and scene by scene."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.reports.looks import LOOKS
from study.reports.style import FAINT, closed, median_interval, new_axes, title, variants_in

ROW = 0.34  # inches


def beside_published(results: pd.DataFrame, reported: pd.DataFrame, count: int) -> Figure:
    """Median SRCC with its 95 % interval per variant, and what others report with as many labels, best at the top.

    Args:
        results: columns variant, count, srcc; one row per split.
        reported: columns method, count, srcc, of published results.
        count: the number of labels that is shown.
    """
    ours = [
        (median_interval(rows["srcc"]), variant)
        for variant, rows in results[results["count"] == count].groupby("variant")
    ]
    others = reported[reported["count"] == count]
    rows = sorted([(middle[0], variant, middle) for middle, variant in ours] + _as_rows(others), key=lambda row: row[0])
    axes = new_axes(7.6, ROW * len(rows) + 1.3)
    for place, (value, name, interval) in enumerate(rows):
        _row(axes, place, value, name, interval)
    axes.set_yticks(range(len(rows)), [title(name) if name in LOOKS else name for _, name, _ in rows])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="SRCC on the test part", ylim=(-0.7, len(rows) - 0.3))
    n = results.loc[results["count"] == count, "repeat"].nunique()
    axes.set_title(f"{count} labels: ● median of {n} splits with its 95 % interval   ○ as published, other protocols")
    return closed(axes.figure)


def _as_rows(others: pd.DataFrame) -> list[tuple[float, str, None]]:
    return [(row.srcc, row.method, None) for row in others.itertuples()]


def _row(axes: Axes, place: int, value: float, name: str, interval: tuple[float, float, float] | None) -> None:
    colour = LOOKS[name].colour if interval else FAINT
    if interval:
        axes.plot(interval[1:], [place, place], color=colour, linewidth=2)
    face = colour if interval else "white"
    axes.plot(value, place, "o", color=colour, markerfacecolor=face, markeredgewidth=1.5)
    note = {"xy": (interval[2] if interval else value, place), "xytext": (8, 0), "textcoords": "offset points"}
    axes.annotate(f"{value:.3f}", **note, va="center", fontsize=9, color=colour)


def scene_errors(predictions: pd.DataFrame) -> Figure:
    """Mean absolute error per scene and variant, on the scale of the scores: a dot each, worst scene at the top.

    Args:
        predictions: columns variant, scene, predicted and score (both in [0, 1]); a row per tested image and split.
    """
    errors = predictions.assign(error=(predictions["predicted"] - predictions["score"]).abs())
    table = errors.pivot_table(index="scene", columns="variant", values="error")
    variants = variants_in(table.columns)
    table = table.sort_values(variants[0])
    counts = predictions.drop_duplicates("place").groupby("scene").size()
    axes = new_axes(7.6, ROW * len(table) + 1.5)
    for variant in variants:
        style = LOOKS[variant]
        axes.plot(table[variant], np.arange(len(table)), style.marker, color=style.colour, label=style.title)
    axes.set_yticks(range(len(table)), [f"{scene.replace('_', ' ')} (n = {counts[scene]})" for scene in table.index])
    axes.set(xlabel="mean absolute error (scores in 0..1)", ylim=(-0.6, len(table) - 0.4))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return closed(axes.figure)
