"""Figures made of photographs."""

import base64
import io
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from grmp.io.decode import read_image
from grmp.io.files import whole
from study.data.distortions import DISTORTIONS
from study.reports.style import closed

LINE = 0.17  # inches of a line of a title above a picture
QUALITY = 65  # of figures as JPEG, 1 to 95
_NAMES = {str(kind.number): kind.title for kind in DISTORTIONS}


def as_jpeg(figure: Figure) -> IPython.display.Image:
    """The figure as JPEG at the size at which it is shown, for photographs."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", pil_kwargs={"quality": QUALITY, "optimize": True})
    return IPython.display.Image(buffer.getvalue(), format="jpeg")


def centre_square(image: np.ndarray) -> np.ndarray:
    """The largest square in the middle of an image (height, width, channels)."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def data_uri(image: Image.Image, quality: int = 75) -> str:
    """The picture as a JPEG (`quality` 1 to 95) that stands in the page itself; about 3 kB for 128 x 96 pixels."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def small(image: Image.Image, side: int) -> Image.Image:
    """The picture at no more than `side` pixels a side."""
    copy = image.convert("RGB")
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    return copy


def save_png(path: Path, figure: Figure) -> None:
    """Write the figure to `path`, whole.

    Raises:
        UserError: it cannot be written.
    """
    with whole(path) as beside:
        figure.savefig(beside, format="png")


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


def captioned_sheet(images: Sequence[np.ndarray], captions: Sequence[str], columns: int, size: float = 1.35) -> Figure:
    """Images with a caption above each, row by row.

    Args:
        images: n images (height, width, 3), uint8 or float in 0..1.
        captions: n texts, of one or several lines.
        columns: images per row.
        size: width of a cell, inches; its height follows the first image and the longest caption.
    """
    lines = max(text.count("\n") + 1 for text in captions)
    rows = -(-len(images) // columns)
    figure, axes = _grid(rows, columns, size, size * _aspect(images[0]) + LINE * lines + 0.1)
    for cell, image, caption in itertools.zip_longest(axes.flat, images, captions):
        if image is not None:
            cell.imshow(image)
            cell.set_title(caption, fontsize=8.5, loc="center")
    return closed(figure)


def distortion_names(numbers: str) -> str:
    """Names of the distortions that a manifest writes as `7+21`, in their order."""
    return ", ".join(_NAMES[number] for number in numbers.split("+"))


def prediction_sheet(predictions: pd.DataFrame, manifest: pd.DataFrame, folder: Path) -> Figure:
    """`prediction_grid` of the images that the predictions are of.

    Args:
        predictions: columns place (of the image in the manifest), predicted.
        manifest: columns image, score, distortions.
        folder: where the images are.

    Raises:
        UserError: an image cannot be read.
    """
    rows = manifest.iloc[predictions["place"]]
    images = [read_image(folder / name) for name in rows["image"]]
    titles = [distortion_names(numbers) for numbers in rows["distortions"]]
    return prediction_grid(images, predictions["predicted"].to_numpy(), rows["score"].to_numpy(), titles)


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
