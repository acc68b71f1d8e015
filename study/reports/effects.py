"""What single choices are worth: each against the study's own setting, split by split."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from study.reports.style import FAINT, INK, closed, median_interval, new_axes

ROW = 0.34  # inches


def effects(choices: dict[str, pd.DataFrame], base: pd.DataFrame, changes: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """A row per choice, the most harmful first.

    Columns: choice, changes (in words), srcc (median over the splits), difference (median of the paired differences to
    the study's runs of the same variant), low and high (its 95 % interval by order statistics), p (Wilcoxon
    signed-rank, two-sided; 1 where nothing differs).

    Args:
        choices: results by the choice's name; one row per split, columns variant, repeat, srcc.
        base: the study's results at the same number of labels, of every variant that is compared.
        changes: the changed keys by the choice's name.
    """
    rows = [_effect(name, results, base) | {"changes": _words(changes[name])} for name, results in choices.items()]
    columns = ["choice", "changes", "srcc", "difference", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns).sort_values("difference", ignore_index=True)


def _effect(name: str, results: pd.DataFrame, base: pd.DataFrame) -> dict[str, Any]:
    pairs = results.merge(base, on=["variant", "repeat"], suffixes=("", "_base"), validate="one_to_one")
    differences = pairs["srcc"] - pairs["srcc_base"]
    middle, low, high = median_interval(differences)
    p = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    return {"choice": name, "srcc": results["srcc"].median(), "difference": middle, "low": low, "high": high, "p": p}


def _words(change: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in change.items())


def effects_plot(table: pd.DataFrame) -> Figure:
    """The differences of `effects` with their intervals, the most harmful at the top; zero is the study's setting."""
    axes = new_axes(7.6, ROW * len(table) + 1.3)
    for place, row in enumerate(table[::-1].itertuples()):
        sure = row.low > 0 or row.high < 0
        colour = INK if sure else FAINT
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
        axes.plot(row.difference, place, "o", color=colour, markerfacecolor=colour if sure else "white")
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set_yticks(range(len(table)), table["changes"][::-1])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="difference of SRCC to the study's setting (median over the splits, 95 % interval)")
    axes.set_title("● the interval excludes zero   ○ it does not")
    return closed(axes.figure)
