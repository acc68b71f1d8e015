"""Figures made of photographs."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grmp.io.files import whole
from study.reports.style import closed

LINE = 0.17  # inches of a line of a title above a picture


def as_jpeg(figure: Figure, quality: int = 88) -> IPython.display.Image:
    """The figure as JPEG (`quality` 1 to 95), a tenth of PNG's bytes where it consists of photographs."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=140, pil_kwargs={"quality": quality})
    return IPython.display.Image(buffer.getvalue(), format="jpeg")


def save_png(path: Path, figure: Figure) -> None:
    """Write the figure to `path`, whole.

    Raises:
        UserError: it cannot be written.
    """
    with whole(path) as beside:
        figure.savefig(beside, format="png", dpi=150)


def contact_sheet(
    images: list[list[np.ndarray]], row_titles: Sequence[str], column_titles: Sequence[str], size: float = 1.5
) -> Figure:
    """A table of images: one row and one column per title.

    Args:
        images: rows of images, each (height, width, 3), uint8 or float in 0..1; rows may be of different lengths.
        row_titles: text left of each row.
        column_titles: text above each column.
        size: width of a cell, inches; its height follows the first image.
    """
    figure, axes = _grid(len(row_titles), len(column_titles), size, size * _aspect(images[0][0]) + 0.05)
    figure.set_figheight(figure.get_figheight() + LINE * max(text.count("\n") + 1 for text in column_titles))
    for row, row_axes in zip(images, axes, strict=True):
        for image, cell in zip(row, row_axes):
            cell.imshow(image)
    for cell, text in zip(axes[0], column_titles, strict=True):
        cell.set_title(text, fontsize=9, loc="center")
    for cell, text in zip(axes[:, 0], row_titles, strict=True):
        wrapped = textwrap.fill(text, 16)
        cell.text(-0.06, 0.5, wrapped, transform=cell.transAxes, ha="right", va="center", fontsize=9)
    return closed(figure)


def prediction_grid(
    images: Sequence[np.ndarray],
    predicted: np.ndarray,
    true: np.ndarray,
    titles: Sequence[str],
    each: int = 5,
) -> Figure:
    """Test images with both scores beneath: the `each` nearest predictions above, the `each` farthest below.

    Args:
        images: n images (height, width, 3), uint8 or float in 0..1.
        predicted: (n,) predicted scores.
        true: (n,) true scores, on the same scale.
        titles: n texts above the images, such as the distortions' names.
        each: images per row, at most n.
    """
    order = np.argsort(np.abs(np.asarray(predicted) - np.asarray(true)), kind="stable")
    each = min(each, len(order))
    figure, axes = _grid(2, each, 1.9, 1.9 * _aspect(images[0]) + 0.75)
    for row, chosen, name in zip(axes, (order[:each], order[::-1][:each]), ("nearest", "farthest"), strict=True):
        row[0].text(-0.06, 0.5, name, transform=row[0].transAxes, ha="right", va="center", rotation=90, fontsize=11)
        for cell, index in zip(row, chosen, strict=True):
            cell.imshow(images[index])
            cell.set_title(textwrap.shorten(titles[index], 26, placeholder="…"), fontsize=8.5, loc="center")
            cell.set_xlabel(f"predicted {predicted[index]:.2f}\ntrue {true[index]:.2f}", fontsize=9)
    return closed(figure)


def _aspect(image: np.ndarray) -> float:
    height, width = image.shape[:2]
    return height / width


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(rows, columns, figsize=(columns * width + 1, rows * height), squeeze=False)
    for cell in axes.flat:
        _bare(cell)
    return figure, axes


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
