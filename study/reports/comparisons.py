"""Paired comparisons of variants over the repeats: how much they differ, and what can be claimed.

A repeat's numbers of labels are nested (the 10 are among the 50), so that they are no independent pairs: a comparison
has one value per repeat, the mean paired difference over the numbers of labels. Where every repeat has its own random
test part, the t-test is corrected for what the splits share (Nadeau and Bengio, Inference for the Generalization
Error, Machine Learning 52, 2003). One comparison per idea was stated beforehand; the p values of the rest are Holm's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.reports.looks import title

IDEAS = {"MPP": ("full", "without_mpp"), "QGR": ("full", "without_qgr"), "Probe (ours)": ("full_probe", "full")}
"""What each idea adds, by its name: one comparison, stated beforehand, whose p value stands as it is."""
EXPLORATORY = (
    ("full", "without_both"),
    ("full", "ridge"),
    ("full", "probe"),
    ("full_probe", "probe"),
    ("probe", "ridge"),
    ("without_mpp", "without_both"),
)
"""What else is compared: the p values of these are corrected together, by Holm's method."""
ALPHA = 0.05
"""The p value below which a difference is claimed."""
COMPARED_WITH = {"without_mpp_probe": "full_probe"}
"""A variant of choices alone, and the variant of the grid that it is compared with."""


def paired_test(differences: Float[np.ndarray, " n"], test_ratio: float = 0.0) -> dict[str, float]:
    """The mean of paired differences, its 95 % interval and two-sided p, by the corrected resampled t-test.

    Args:
        differences: one per repeat.
        test_ratio: test images by images that are not tested on, of repeats that are random splits of one set; 0 for
            repeats with the same test part: the plain paired t-test, which holds for that test part.

    Returns:
        difference, low, high, p; without an interval (nan) for a single repeat.
    """
    n, mean = len(differences), float(np.mean(differences))
    if n < 2:
        return {"difference": mean, "low": np.nan, "high": np.nan, "p": np.nan}
    spread = float(np.sqrt((1 / n + test_ratio) * np.var(differences, ddof=1)))
    half = spread * stats.t.ppf(0.975, n - 1)
    p = 2 * stats.t.sf(abs(mean) / spread, n - 1) if spread else float(mean == 0)
    return {"difference": mean, "low": mean - half, "high": mean + half, "p": float(p)}


def against_zero(swept: pd.DataFrame, test_ratio: float = 0.0) -> pd.DataFrame:
    """SRCC at every strength of the projection minus that of the same repeat without it; all are exploratory.

    Columns: strength, difference, low, high, p, p_holm.

    Args:
        swept: columns strength (0 among them), repeat, srcc.
        test_ratio: as in `paired_test`.
    """
    table = swept.pivot(index="repeat", columns="strength", values="srcc")
    gains = table.drop(columns=0.0).sub(table[0.0], axis=0).dropna()
    rows = [{"strength": strength} | paired_test(values.to_numpy(), test_ratio) for strength, values in gains.items()]
    tests = pd.DataFrame(rows, columns=["strength", "difference", "low", "high", "p"])
    return tests.assign(p_holm=holm(tests["p"]))


def differences(results: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """SRCC of variant `a` minus that of `b`: a row per repeat, a column per number of labels.

    Args:
        results: columns variant, count, repeat, srcc.
        a: a variant's name.
        b: another's.
    """
    first, second = (
        results[results["variant"] == variant].pivot(index="repeat", columns="count", values="srcc")
        for variant in (a, b)
    )
    return (first - second).dropna()


def compare_variants(results: pd.DataFrame, test_ratio: float = 0.0) -> pd.DataFrame:
    """A row per comparison of two variants that are there, those of `IDEAS` first.

    Columns: idea (empty for an exploratory one), a, b, repeats, difference (mean over the numbers of labels and the
    repeats), low, high (95 % interval), p, p_holm (corrected; of an idea the p itself), and `at_10` and so on, the mean
    difference at each number of labels.

    Args:
        results: columns variant, count, repeat, srcc.
        test_ratio: as in `paired_test`.
    """
    pairs = [(idea, *pair) for idea, pair in IDEAS.items()] + [("", *pair) for pair in EXPLORATORY]
    there = set(results["variant"])
    rows = [_compared(results, *pair, test_ratio) for pair in pairs if {*pair[1:]} <= there]
    table = pd.DataFrame(
        rows, columns=None if rows else ["idea", "a", "b", "repeats", "difference", "low", "high", "p"]
    )
    rest = table["idea"] == ""
    table.insert(table.columns.get_loc("p") + 1, "p_holm", table["p"].mask(rest, holm(table["p"].where(rest))))
    return table


def _compared(results: pd.DataFrame, idea: str, a: str, b: str, test_ratio: float) -> dict[str, Any]:
    by_count = differences(results, a, b)
    over = paired_test(by_count.mean(axis=1).to_numpy(), test_ratio)
    at = {f"at_{count}": float(mean) for count, mean in by_count.mean().items()}
    return {"idea": idea, "a": a, "b": b, "repeats": len(by_count), **over, **at}


def compare_choices(
    choices: dict[str, pd.DataFrame], base: pd.DataFrame, changes: dict[str, dict[str, Any]], test_ratio: float = 0.0
) -> pd.DataFrame:
    """A row per choice against the study's own setting, the most harmful first; all are exploratory.

    Columns: choice, changes (in words), srcc (median over the repeats), difference, low, high, p, p_holm.

    Args:
        choices: results by the choice's name; one row per repeat, columns variant, repeat, srcc.
        base: the study's results at the same number of labels, of every variant that is compared.
        changes: the changed keys by the choice's name.
        test_ratio: as in `paired_test`.
    """
    rows = []
    for name, results in choices.items():
        named = results.assign(variant=results["variant"].replace(COMPARED_WITH))
        pairs = named.merge(base, on=["variant", "repeat"], suffixes=("", "_base"), validate="one_to_one")
        words = ", ".join(f"{key} {value}" for key, value in changes[name].items())
        test = paired_test((pairs["srcc"] - pairs["srcc_base"]).to_numpy(), test_ratio)
        rows.append({"choice": name, "changes": words, "srcc": results["srcc"].median(), **test})
    columns = ["choice", "changes", "srcc", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns).sort_values("difference", ignore_index=True)
    return table.assign(p_holm=holm(table["p"]))


def holm(p: pd.Series) -> pd.Series:
    """p values corrected for their number by Holm's step-down method; missing ones stay and do not count."""
    known = p.dropna().astype(float)
    corrected = multipletests(known, method="holm")[1] if len(known) else known.to_numpy()
    return pd.Series(corrected, index=known.index, dtype=float).reindex(p.index)


def claim(name: str, row: Any) -> str:
    """What a comparison shows, as one sentence that does not claim a difference where the interval holds zero.

    Args:
        name: whose effect it is, the sentence's subject.
        row: with difference, low, high, p.
    """
    facts = f"95 % interval {row.low:+.3f} to {row.high:+.3f}, p {probability(row.p)}"
    if np.isnan(row.p):
        return f"{name}: {row.difference:+.3f} SRCC in one repeat, from which nothing can be claimed."
    if row.p >= ALPHA:
        return f"{name}: no difference of SRCC can be claimed ({row.difference:+.3f}, {facts})."
    return f"{name} {'adds' if row.difference > 0 else 'costs'} {abs(row.difference):.3f} SRCC ({facts})."


def comparison_table(table: pd.DataFrame) -> pd.DataFrame:
    """The comparisons across: a row each, with the mean paired difference at every number of labels in a column."""
    at = table.filter(like="at_").map("{:+.3f}".format)
    at.columns = [f"{name.removeprefix('at_')} labels" for name in at.columns]
    return pd.concat(
        [pd.Series([pair_name(row) for row in table.itertuples()], name="mean difference of SRCC"), at], axis=1
    )


def probability(p: float) -> str:
    """`= 0.012`, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def pair_name(row: Any) -> str:
    """A comparison's name for readers, from its columns idea, a and b."""
    pair = f"{title(row.a)} − {title(row.b)}"
    return f"{row.idea}: {pair}" if row.idea else pair
