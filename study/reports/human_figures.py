"""Figures of a study on human scores: beside what others report, and scene by scene."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.reports.looks import LOOKS, title, variants_in
from study.reports.intervals import median_interval, median_level
from study.reports.style import FAINT, closed, new_axes

ROW = 0.34  # inches


def beside_published(results: pd.DataFrame, reported: pd.DataFrame, main: int) -> Figure:
    """Median SRCC with its interval per variant, and what others report: a panel per number of labels.

    Rows are in the order of the panel with `main` labels, the best at the top.

    Args:
        results: columns variant, count, repeat, srcc; one row per split.
        reported: columns method, count, srcc, of published results.
        main: the number of labels that orders the rows.
    """
    counts = sorted(results["count"].unique())
    ours = results.groupby(["variant", "count"])["srcc"].agg(median_interval)
    others = reported.set_index(["method", "count"])["srcc"]
    names = _ordered(ours.map(lambda interval: interval[0]), others, main)
    figure, panels = plt.subplots(
        1,
        len(counts),
        figsize=(1.15 * len(counts) + 2.6, ROW * len(names) + 1.2),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axes, count in zip(panels[0], counts, strict=True):
        for place, name in enumerate(names):
            _row(axes, place, name, ours.get((name, count)), others.get((name, count)))
        axes.grid(visible=False, axis="y")
        axes.set_title(f"{count} labels", fontsize=10)
        axes.margins(x=0.08)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(3))
    panels[0, 0].set_yticks(range(len(names)), [title(name) if name in LOOKS else name for name in names])
    splits = results["repeat"].nunique()
    drawn = (
        f"● median of {splits} splits, {100 * median_level(splits):.1f} % interval   ○ as published, other protocols"
    )
    figure.supxlabel(f"SRCC: {drawn}", fontsize=10)
    return closed(figure)


def _ordered(ours: pd.Series, others: pd.Series, main: int) -> list[str]:
    """Names, the worst first: by the value with `main` labels, and where there is none by the mean of the others."""
    values = pd.concat([ours, others])
    at_main = values[values.index.get_level_values(1) == main].droplevel(1)
    return list(at_main.combine_first(values.groupby(level=0).mean()).sort_values().index)


def _row(
    axes: Axes, place: int, name: str, interval: tuple[float, float, float] | None, reported: float | None
) -> None:
    if interval is not None:
        axes.plot(interval[1:], [place, place], color=LOOKS[name].colour, linewidth=2)
        axes.plot(interval[0], place, "o", color=LOOKS[name].colour)
    elif reported is not None:
        axes.plot(reported, place, "o", color=FAINT, markerfacecolor="white", markeredgewidth=1.5)


def join_images(predictions: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The predictions with scene, score and name of the image that each is of, its `place` in the manifest."""
    rows = images.iloc[predictions["place"]]
    return predictions.assign(**{column: rows[column].to_numpy() for column in ("scene", "score", "image")})


def farthest(predictions: pd.DataFrame, variant: str, count: int) -> pd.DataFrame:
    """The `count` images that a variant misjudges most, by its mean prediction over the splits.

    Args:
        predictions: columns variant, image, predicted, score.
        variant: its name.
        count: rows.
    """
    means = predictions[predictions["variant"] == variant].groupby("image")[["predicted", "score"]].mean()
    means = means.assign(difference=means["predicted"] - means["score"])
    return means.sort_values("difference", key=abs, ascending=False).head(count).reset_index()


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


def suggested_plot(suggested: pd.DataFrame) -> Figure:
    """SRCC by the number of labels, of images drawn at random and of suggested ones: the mean, and every split faint.

    Args:
        suggested: columns images (random or suggested), labels, repeat, srcc.
    """
    axes = new_axes(7.0, 3.6)
    for images, colour in (("random", FAINT), ("suggested", LOOKS["full_probe"].colour)):
        table = suggested[suggested["images"] == images].pivot(index="labels", columns="repeat", values="srcc")
        axes.plot(table.index, table, color=colour, alpha=0.25, linewidth=1)
        axes.plot(table.index, table.mean(axis=1), "o-", color=colour, label=f"{images} images")
    axes.set_xscale("log")
    axes.set_xticks(table.index, [str(count) for count in table.index])
    axes.minorticks_off()
    axes.set_xlabel("labels")
    axes.set_ylabel("SRCC on the test part")
    axes.legend()
    return closed(axes.figure)
