"""Does what an idea adds hold over pre-trainings? Variance components of its paired differences, and its interval.

Two variants are compared behind the same pre-training, on the same split and labels. Their difference varies with
both: a linear mixed model with a random intercept for each, crossed, tells the parts by restricted maximum likelihood.
"""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from study.reports.comparisons import IDEAS, holm, probability

PARTS = ("pretraining", "split", "rest")


def components(differences: pd.DataFrame) -> dict[str, float]:
    """Variances of paired differences: between pre-trainings, between splits, and what is left.

    Args:
        differences: columns draw, repeat and difference; every pair once, two or more draws and repeats.
    """
    formula = {"pretraining": "0 + C(draw)", "split": "0 + C(repeat)"}
    one_group = np.ones(len(differences))  # effects that cross are no groups of each other
    model = MixedLM.from_formula("difference ~ 1", differences, groups=one_group, vc_formula=formula)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a variance of 0 lies on the boundary
        fitted = model.fit(reml=True)
    found = dict(zip(model.exog_vc.names, fitted.vcomp, strict=True))
    return {name: float(max(found.get(name, fitted.scale), 0.0)) for name in PARTS}


def interval(mean: float, variances: dict[str, float], draws: int, splits: int, test_ratio: float) -> dict[str, float]:
    """The 95 % interval of a mean over crossed pre-trainings and splits, and its two-sided p.

    Splits share images: their part is that of Nadeau and Bengio (2003). Degrees of freedom are Satterthwaite's (1946).

    Args:
        mean: of the differences.
        variances: of `components`.
        draws: pre-trainings.
        splits: of the rated set.
        test_ratio: as in `study.reports.comparisons.paired_test`.
    """
    parts = np.array(
        [
            variances["pretraining"] / draws,
            variances["split"] * (1 / splits + test_ratio),
            variances["rest"] / (draws * splits),
        ]
    )
    each, total = np.array([draws - 1, splits - 1, (draws - 1) * (splits - 1)]), parts.sum()
    if total == 0:
        return {"low": mean, "high": mean, "p": float(mean == 0)}
    freedom, error = total**2 / np.sum(parts**2 / each), np.sqrt(total)
    half = float(error * stats.t.ppf(0.975, freedom))
    return {"low": mean - half, "high": mean + half, "p": float(2 * stats.t.sf(abs(mean) / error, freedom))}


def replicated_effects(runs: pd.DataFrame, grid: pd.DataFrame, test_ratio: float) -> pd.DataFrame:
    """What every idea of `IDEAS` adds at each number of labels, over pre-trainings and splits.

    Columns: idea, a, b, count, draws, splits, difference, low, high, p, p_holm, the standard deviations sd_pretraining,
    sd_split and sd_rest, and least and most, the least and greatest mean of a pre-training.

    Args:
        runs: columns variant, count, draw, repeat, srcc.
        grid: columns variant, count, repeat, srcc: variants that no pre-training touches.
        test_ratio: as in `interval`.
    """
    free = grid[grid["variant"].isin({"without_mpp"} - set(runs["variant"]))]
    every = pd.concat([runs, *(free.assign(draw=draw) for draw in runs["draw"].unique())])
    table = every.pivot_table(index=["count", "draw", "repeat"], columns="variant", values="srcc")
    rows = []
    for idea, (a, b) in IDEAS.items():
        if not {a, b} <= set(table):
            continue
        for count, of_count in (table[a] - table[b]).dropna().groupby("count"):
            rows.append({"idea": idea, "a": a, "b": b, "count": count} | _effect(of_count, test_ratio))
    found = pd.DataFrame(rows)
    return found.assign(p_holm=holm(found["p"])) if rows else found


def replication_table(held: pd.DataFrame) -> pd.DataFrame:
    """`replicated_effects` for reading: effects with their intervals, and standard deviations by where they come from."""
    effect = [f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})" for row in held.itertuples()]
    names = {"sd_pretraining": "sd between pre-trainings", "sd_split": "sd between splits", "sd_rest": "sd of the rest"}
    return pd.DataFrame(
        {
            "idea": held["idea"],
            "labels": held["count"],
            "difference (95 % interval)": effect,
            "single pre-trainings": [f"{row.least:+.3f} to {row.most:+.3f}" for row in held.itertuples()],
            **{name: held[column].map("{:.3f}".format) for column, name in names.items()},
            "p": held["p_holm"].map(probability),
        }
    )


def _effect(differences: pd.Series, test_ratio: float) -> dict[str, float]:
    table = differences.rename("difference").reset_index()
    draws, splits, mean = table["draw"].nunique(), table["repeat"].nunique(), float(differences.mean())
    each = table.groupby("draw")["difference"].mean()
    sizes = {"draws": draws, "splits": splits, "difference": mean}
    if draws < 2 or splits < 2:
        unknown = dict.fromkeys(("low", "high", "p", *(f"sd_{part}" for part in PARTS)), np.nan)
        return sizes | unknown | {"least": each.min(), "most": each.max()}
    variances = components(table)
    spreads = {f"sd_{part}": float(np.sqrt(variance)) for part, variance in variances.items()}
    ends = {"least": each.min(), "most": each.max()}
    return sizes | interval(mean, variances, draws, splits, test_ratio) | spreads | ends
