"""Forest plots: paired differences with their intervals, one row per comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.reports.comparisons import ALPHA, pair_name, probability
from study.reports.style import FAINT, INK, closed, new_axes

ROW = 0.34  # inches
TARGET_LOOKS = (("#0072B2", "o"), ("#B34A00", "s"), ("#00795A", "^"))
"""Colour and marker per target."""


def forest_plot(rows: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Paired differences of SRCC with their 95 % intervals, a row each, the first at the top.

    Args:
        rows: columns difference, low, high, and p_holm, by which a row is drawn as a difference or as none.
        names: what stands left of each row.
    """
    axes = new_axes(7.6, ROW * len(rows) + 1.1)
    for place, row in enumerate(rows[::-1].itertuples()):
        _difference(axes, place, row)
    axes.axvline(0, color=FAINT, linewidth=1, zorder=1)
    axes.set_yticks(range(len(rows)), list(names)[::-1])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="paired difference of SRCC (mean, 95 % interval)", ylim=(-0.7, len(rows) - 0.3))
    axes.set_title(f"● p < {ALPHA}   ○ no difference can be claimed", loc="left")
    return closed(axes.figure)


def _difference(axes: Axes, place: int, row: Any) -> None:
    claimed = row.p_holm < ALPHA
    colour = INK if claimed else FAINT
    axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
    axes.plot(row.difference, place, "o", color=colour, markerfacecolor=colour if claimed else "white", zorder=3)
    text = f"{row.difference:+.3f}" + ("" if np.isnan(row.p_holm) else f", p {probability(row.p_holm)}")
    where = {"xy": (1.02, place), "xycoords": ("axes fraction", "data"), "annotation_clip": False}
    axes.annotate(text, **where, va="center", fontsize=9, color=colour)


def comparisons_plot(table: pd.DataFrame) -> Figure:
    """What each idea adds, above a line, and the exploratory comparisons below it: `compare_variants` drawn."""
    figure = forest_plot(table, [pair_name(row) for row in table.itertuples()])
    stated = int((table["idea"] != "").sum())
    if 0 < stated < len(table):
        figure.axes[0].axhline(len(table) - stated - 0.5, color=FAINT, linewidth=0.7, linestyle=":")
    return figure


def ideas_plot(targets: dict[str, pd.DataFrame]) -> Figure:
    """What each idea adds on every target: one row per idea, one colour per target.

    Args:
        targets: rows of `compare_variants`, by what the legend calls the target.
    """
    ideas = list(dict.fromkeys(idea for table in targets.values() for idea in table["idea"].dropna() if idea))
    axes = new_axes(6.2, 0.31 * len(ideas) * len(targets) + 1.3)
    for index, (name, table) in enumerate(targets.items()):
        shift = 0.14 * (len(targets) - 1) - 0.28 * index
        _idea_rows(axes, ideas, table, shift, TARGET_LOOKS[index % len(TARGET_LOOKS)], name)
    axes.axvline(0, color=FAINT, linewidth=1, zorder=1)
    axes.set_yticks(range(len(ideas)), ideas[::-1])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="what it adds to SRCC (mean paired difference, 95 % interval)", ylim=(-0.5, len(ideas) - 0.5))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(targets), borderaxespad=0.2)
    return closed(axes.figure)


def _idea_rows(
    axes: Axes, ideas: list[str], table: pd.DataFrame, shift: float, look: tuple[str, str], name: str
) -> None:
    rows = table[table["idea"].isin(ideas)].set_index("idea")
    heights = [len(ideas) - 1 - ideas.index(idea) + shift for idea in rows.index]
    middle = rows["difference"]
    ends = np.stack([middle - rows["low"], rows["high"] - middle])
    axes.errorbar(middle, heights, xerr=ends, fmt=look[1], color=look[0], label=name, elinewidth=2)
    for value, high, height in zip(middle, rows["high"], heights, strict=True):
        place = {"xy": (np.nanmax([value, high]), height), "xytext": (5, 0), "textcoords": "offset points"}
        axes.annotate(f"{value:+.3f}", **place, va="center", fontsize=9, color=look[0])
