"""Figures of the grid's results: against labels, optimism, strength of the projection."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.reports.looks import LOOKS, variants_in
from study.reports.intervals import t_interval
from study.reports.style import FAINT, closed, new_axes
from study.reports.tables import label_name
from study.variants import VARIANTS

DODGE = 0.02  # of the axis, in factors of ten: enough that error bars at the same count do not hide each other
CLOSE = 1.25  # the ratio of two counts under which the smaller is left out of the learning curves


def learning_curves(results: pd.DataFrame) -> Figure:
    """SRCC against the number of labels: mean over the repeats with its 95 % interval, one line per variant.

    A number of labels that lies close under a larger one is left out, as their points would mix.

    Args:
        results: columns variant, labels (as in params.yaml), count (images), repeat and srcc.
    """
    return _curves(results, "srcc", "SRCC")


def optimism_plot(results: pd.DataFrame) -> Figure:
    """What picking the best step on the test part would have added to SRCC, against the number of labels.

    Args:
        results: columns variant, labels, count, repeat, srcc (last step), srcc_best; untuned variants are left out.
    """
    tuned = results[[VARIANTS[variant].tuned for variant in results["variant"]]]
    return _curves(tuned.assign(gain=tuned["srcc_best"] - tuned["srcc"]), "gain", "SRCC of the best step − of the last")


def _curves(results: pd.DataFrame, column: str, name: str) -> Figure:
    axes = new_axes(7.6, 4.2)
    results = results[results["count"].isin(_apart(results["count"].unique()))]
    variants = variants_in(results["variant"])
    ends: dict[str, tuple[float, float]] = {}
    for variant, shift in zip(variants, _shifts(len(variants)), strict=True):
        over = _intervals(results[results["variant"] == variant], "count", column)
        x = over.index * 10**shift
        axes.errorbar(x, over["mean"], over["half"], **LOOKS[variant].line, elinewidth=1.2, capsize=0)
        ends[variant] = (x[-1], over["mean"].iloc[-1])
    _label_ticks(axes, results)
    _label_ends(axes, ends)
    axes.set(xlabel="labelled images", ylabel=name)
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


def lambda_plot(swept: pd.DataFrame, strengths: pd.DataFrame) -> Figure:
    """What QGR adds to SRCC at every strength, in the same repeat: mean with its 95 % interval, repeats as light dots.

    Args:
        swept: columns strength (lambda, 0 among them), repeat, srcc; all with the same number of labels.
        strengths: of `study.reports.comparisons.against_zero`.
    """
    axes = new_axes(7.2, 3.8)
    style = LOOKS["full"]
    axes.axhline(0, color=FAINT, linewidth=1, zorder=1)
    axes.axvline(1, color=FAINT, linewidth=1, linestyle=":", zorder=1)
    note = {"xy": (1, 1), "xycoords": ("data", "axes fraction"), "xytext": (4, -2), "textcoords": "offset points"}
    axes.annotate("orthogonal projection", **note, va="top", color=FAINT, fontsize=9)
    table = swept.pivot(index="repeat", columns="strength", values="srcc")
    for strength, gains in table.sub(table[0.0], axis=0).drop(columns=0.0).items():
        beside = strength + 0.015 * table.columns.max()  # the interval would hide them
        axes.plot([beside] * len(gains), gains, "o", color=style.colour, alpha=0.35, markersize=4.5, mew=0)
    ends = [strengths["difference"] - strengths["low"], strengths["high"] - strengths["difference"]]
    axes.errorbar(strengths["strength"], strengths["difference"], ends, color=style.colour, marker="o", elinewidth=1.4)
    axes.set_xticks(table.columns, [f"{strength:g}" for strength in table.columns])
    axes.set(xlabel="λ, strength of the projection", ylabel="SRCC − that at λ = 0, same repeat")
    axes.set_title(_of_repeats(swept, "with its 95 % interval; dots: repeats"))
    return closed(axes.figure)
