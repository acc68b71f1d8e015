"""One look for all figures of the study."""

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT = "#22262b", "#6b737c"


def set_style() -> None:
    """Set the look of every figure; call once at the top of a notebook."""
    sns.set_theme(context="notebook", style="ticks", font="sans-serif", rc=_LOOK)


_LOOK = {
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.bbox": "tight",
    "svg.hashsalt": "grmp",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that figures are alike on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.title_fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "grid.color": "#e3e6e9",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


def new_axes(width: float = 7.0, height: float = 4.2) -> Axes:
    """Empty axes of a new figure, sizes in inches."""
    # Closed at once: a notebook would show it twice, at the cell's end and where it is the cell's result.
    return closed(plt.figure(figsize=(width, height))).add_subplot()


def closed(figure: Figure) -> Figure:
    """The figure, taken from pyplot's hands: a notebook then shows it where it is a cell's result, and only once."""
    plt.close(figure)
    return figure


def level_line(axes: Axes, height: float, name: str) -> None:
    """Draw a horizontal line over all of the axes, with its name at its right end."""
    axes.axhline(height, color=FAINT, linewidth=1, zorder=1)
    place = {"xy": (1, height), "xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate(name, **place, va="center", color=FAINT, fontsize=9)
