"""One style for the whole study: the variants' names, how figures look, how numbers are tabled."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from study.reports.looks import LOOKS

INK, FAINT = "#22262b", "#6b737c"


def title(variant: str) -> str:
    """The variant's name for readers, such as `without MPP`."""
    return LOOKS[variant].title


def variants_in(names: Iterable[str]) -> list[str]:
    """The variants among `names`, each once, in the order of the study."""
    found = set(names)
    return [variant for variant in LOOKS if variant in found]


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


def t_interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float]:
    """Mean, and half the width of its confidence interval by Student's t; the half is 0 for a single value."""
    numbers = np.asarray(list(values), dtype=float)
    if len(numbers) < 2:
        return float(numbers.mean()), 0.0
    spread = stats.sem(numbers) * stats.t.ppf((1 + level) / 2, len(numbers) - 1)
    return float(numbers.mean()), float(spread)


def median_interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float, float]:
    """Median, and the ends of its interval by order statistics: no distribution is assumed.

    The ends are the values between which the median lies with at least `level`; of fewer than six values none are so
    sure, and the ends are the least and the greatest. `median_level` tells how sure they are.
    """
    numbers = np.sort(np.asarray(list(values), dtype=float))
    n = len(numbers)
    rank = _order_rank(n, level)
    return float(np.median(numbers)), float(numbers[rank - 1]), float(numbers[n - rank])


def median_level(n: int, level: float = 0.95) -> float:
    """The true level of `median_interval` for n values: 0.979 for ten, whose second and ninth are the ends."""
    return float(1 - 2 * stats.binom.cdf(_order_rank(n, level) - 1, n, 0.5))


def _order_rank(n: int, level: float) -> int:
    # Leaving r - 1 values out at either end misses the median with 2 P(B < r), B binomial of n fair coins.
    missed = 2 * stats.binom.cdf(np.arange((n + 1) // 2), n, 0.5)
    return max(int((missed <= 1 - level).sum()), 1)


def label_name(labels: float, count: int) -> str:
    """A number of labels as params.yaml writes it: `50`, or `0.2 = 80` for a fraction with the count it means."""
    return f"{labels:g} = {count}" if 0 < labels < 1 else f"{count}"


def copy_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """The frame as a Markdown table, ready to be copied; numbers to the right, floats with `digits` decimals."""
    aligns = ["---:" if pd.api.types.is_numeric_dtype(kind) else ":---" for kind in frame.dtypes]
    rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[str(name) for name in frame.columns], aligns, *rows])


def _cell(value: object, digits: int) -> str:
    text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
