"""Figures of the generated images and their labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import UInt8
from matplotlib.figure import Figure

from grmp.io.decode import read_image
from study.data.distortions import DISTORTIONS, LEVELS, distort
from study.data.labels import LabelMap, agreement
from study.reports.photo_figures import captioned_sheet, contact_sheet, distortion_names
from study.reports.style import FAINT, new_axes

FAMILIES = {kind.number: kind.family for kind in DISTORTIONS}
PARTS = {"pretrain": "#999999", "train": "#0072B2", "test": "#D55E00"}


def type_sheet(image: UInt8[np.ndarray, "h w 3"], seed: int) -> Figure:
    """The image with all distortion types, a row each, at their five levels."""
    draws = np.random.default_rng([seed, 9])
    rows = [[distort(image, kind, level, draws) for level in LEVELS] for kind in DISTORTIONS]
    titles = [f"{kind.number} {kind.title}" for kind in DISTORTIONS]
    return contact_sheet(rows, titles, [f"level {level}" for level in LEVELS], size=1.2)


def mixture_sheet(images: pd.DataFrame, folder: Path, count: int = 12) -> Figure:
    """Images of a set from the best to the worst label, evenly spread, with label and distortions.

    Args:
        images: columns image, score, distortions.
        folder: where the images are.
        count: how many are shown.

    Raises:
        UserError: an image cannot be read.
    """
    order = images.sort_values("score", ascending=False)
    chosen = order.iloc[np.linspace(0, len(order) - 1, count).round().astype(int)]
    titles = zip(chosen["score"], chosen["distortions"], strict=True)
    captions = [f"{score:.2f}\n" + distortion_names(numbers).replace(", ", "\n") for score, numbers in titles]
    return captioned_sheet([read_image(folder / name) for name in chosen["image"]], captions, columns=6)


def severity_plot(cells: pd.DataFrame, label_map: LabelMap) -> Figure:
    """Mean opinion of people against our mean similarity, a point per (type, level), and the label map as a line.

    Args:
        cells: columns type, similarity, score.
        label_map: from similarity to score.
    """
    axes = new_axes(7.2, 4.4)
    families = cells.assign(family=cells["type"].map(FAMILIES))
    sns.scatterplot(families, x="similarity", y="score", hue="family", style="family", s=45, ax=axes)
    grid = np.linspace(cells["similarity"].min(), 1, 200)
    axes.plot(grid, label_map(grid), color="0.3", linewidth=1.2)
    axes.set(xlabel="mean similarity to the photograph", ylabel="mean opinion of people, scaled to 0..1")
    axes.set_title(f"{len(cells)} cells, SRCC {agreement(cells):.3f}")
    sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title=None)
    return axes.figure


def offset_plot(by_type: pd.DataFrame) -> Figure:
    """What the labels would have said too much or too little of a type that the fit had not seen, with its SRCC.

    Args:
        by_type: columns name, offset, srcc.
    """
    order = by_type.sort_values("offset")
    axes = new_axes(7.2, 5.6)
    axes.hlines(order["name"], 0, order["offset"], color="#0072B2", linewidth=2)
    axes.plot(order["offset"], order["name"], "o", color="#0072B2")
    for row in order.itertuples():
        axes.text(max(row.offset, 0) + 0.012, row.name, f"SRCC {row.srcc:.1f}", va="center", fontsize=8)
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set(xlabel="label minus human score, this type left out of the fit (scale 0..1)")
    axes.set_title("above 0: people dislike it more than the label says")
    return axes.figure


def label_histogram(images: pd.DataFrame) -> Figure:
    """How the labels are distributed in every part.

    Args:
        images: columns part, score (0..1).
    """
    axes = new_axes(7.2, 3.4)
    sns.histplot(
        images, x="score", hue="part", hue_order=list(PARTS), palette=PARTS, element="step", stat="density",
        common_norm=False, bins=25, binrange=(0, 1), ax=axes,
    )  # fmt: skip
    axes.set(xlabel="label (0..1, higher is better)")
    return axes.figure
