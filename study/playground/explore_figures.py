"""The playground's pictures: what one model makes of an image, and how two models differ over it."""

from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from study.data.distortions import Image
from study.data.photos import SCENES
from study.playground.view import View
from study.reports.style import FAINT, INK, closed

COLOURS = ("#0072B2", "#D55E00")  # Okabe and Ito, as in the study's other figures
MARK = {"marker": "o", "markersize": 11, "linestyle": "", "zorder": 3}


def look_figure(
    image: Image,
    seen: View,
    quality: dict[str, float],
    neighbours: Sequence[tuple[Image, str]],
) -> Figure:
    """One image and what a model makes of it.

    Args:
        image: as the model gets it, before the crop.
        seen: what the model makes of its centre, which is all that it sees.
        quality: scores in 0..1 by name for the scale on top; the first is the model's for this very image.
        neighbours: images and the texts below them.
    """
    figure = plt.figure(figsize=(9.2, 5.9))
    scale, middle, below = figure.subfigures(3, 1, height_ratios=[0.62, 2.7, 1.6])
    _scale(scale.add_subplot(), quality)
    panels = middle.subplots(1, 3, width_ratios=[1.5, 1, 1.05])
    _picture(panels[0], image, seen.crop.shape[-1])
    attention_map(panels[1], seen, "class token's attention")
    scene_bars(panels[2], {"": seen})
    for axes, (neighbour, text) in zip(below.subplots(1, len(neighbours), squeeze=False)[0], neighbours):
        axes.imshow(neighbour)
        _bare(axes)
        axes.set_xlabel(text, fontsize=8.5)
    below.axes[0].set_title("nearest labelled images")
    return closed(figure)


def compare_figure(
    image: Image,
    seen: dict[str, View],
    by_level: dict[str, Float[np.ndarray, "6"]],
    level: int,
) -> Figure:
    """Two models over one image: attention, scenes, and quality at every level of the distortion.

    Args:
        image: as the models get it, before the crop.
        seen: what each model makes of its centre, by the model's name.
        by_level: quality at levels 0 to 5, by name; the models', and others to compare them with.
        level: the image's own.
    """
    figure = plt.figure(figsize=(9.2, 6.2))
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    panels = above.subplots(1, 1 + len(seen), width_ratios=[1.5, *([1] * len(seen))])
    _picture(panels[0], image, max(one.crop.shape[-1] for one in seen.values()))
    for axes, (name, one), colour in zip(panels[1:], seen.items(), COLOURS):
        attention_map(axes, one, name, colour)
    left, right = below.subplots(1, 2, width_ratios=[1.5, 1])
    level_lines(left, by_level, level)
    scene_bars(right, seen)
    return closed(figure)


def attention_map(axes: Axes, seen: View, title: str, colour: str = INK) -> None:
    """The crop in grey, and over it in colour each patch's share of the attention, relative to the largest.

    The square root of the share is drawn, as one patch often has more than a dozen others together; below stands what
    all patches have, and what the brightest has.
    """
    attention = seen.attention
    smooth = cv2.resize(np.sqrt(attention / attention.max()), tuple(seen.crop.shape[1:]))
    axes.imshow(seen.crop.float().mean(dim=0).numpy(), cmap="gray", vmin=0, vmax=255)
    axes.imshow(smooth, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * smooth)
    _bare(axes)
    axes.set_title(title, color=colour)
    axes.set_xlabel(f"{attention.sum():.0%} on patches, brightest {attention.max():.0%}", fontsize=9)


def scene_bars(axes: Axes, seen: dict[str, View]) -> None:
    """The nine scene probabilities, one bar per model and scene, in the scenes' order; without names, no legend."""
    height = 0.8 / len(seen)
    for place, ((name, one), colour) in enumerate(zip(seen.items(), COLOURS)):
        shift = (place - (len(seen) - 1) / 2) * height
        axes.barh(np.arange(len(SCENES)) + shift, one.scenes, height, color=colour, label=name)
    axes.set_yticks(range(len(SCENES)), [scene.replace("_", " ") for scene in SCENES])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), title="scene probabilities")
    axes.grid(visible=False, axis="y")


def level_lines(axes: Axes, by_level: dict[str, Float[np.ndarray, "6"]], level: int) -> None:
    """Quality against level, one line per name; the image's own level is marked. Grey where colours run out."""
    axes.axvline(level, color="#e3e6e9", linewidth=9, zorder=0)
    for index, (name, values) in enumerate(by_level.items()):
        colour, dash = (COLOURS[index], "-") if index < len(COLOURS) else (FAINT, "--")
        axes.plot(values, marker="o", color=colour, linestyle=dash, label=name)
    axes.set(xlabel="level of the distortion (0: untouched)", ylabel="quality", ylim=(0, 1), xticks=range(6))
    axes.legend(loc="lower left")


def _scale(axes: Axes, quality: dict[str, float]) -> None:
    styles = [{"color": COLOURS[0]}, {"markerfacecolor": "white", "color": COLOURS[0]}, {"color": INK, "marker": "|"}]
    for (name, value), style in zip(quality.items(), styles):
        axes.plot(value, 0, label=f"{name} {value:.2f}", **(MARK | {"markeredgewidth": 2} | style))
    axes.set(xlim=(0, 1), ylim=(-1, 1), yticks=[])
    axes.set_xticks(np.linspace(0, 1, 6), ["0 bad", "0.2", "0.4", "0.6", "0.8", "1 good"])
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.95), ncols=len(quality), borderaxespad=0, handletextpad=0.2)


def _picture(axes: Axes, image: Image, side: int) -> None:
    height, width = image.shape[:2]
    axes.imshow(image)
    axes.add_patch(Rectangle(((width - side) / 2, (height - side) / 2), side, side, fill=False, color="white", lw=1.6))
    _bare(axes)
    axes.set_title("image")
    axes.set_xlabel("frame: the crop that the model sees", fontsize=9)


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_anchor("N")  # titles of pictures of different shapes stand in one line
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
