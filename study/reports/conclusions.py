"""Conclusions in words, computed from the numbers: what can be claimed, and what cannot."""

import numpy as np
from scipy import stats


def compare(a: np.ndarray, b: np.ndarray, name_a: str, name_b: str, metric: str, alpha: float = 0.05) -> str:
    """One sentence on whether `a` and `b` differ, by the paired Wilcoxon signed-rank test (two-sided).

    Args:
        a: (n,) values of the metric, one per repeat.
        b: (n,) values for the same repeats, in the same order.
        name_a: how the sentence calls the first.
        name_b: how it calls the second.
        metric: the metric's name, such as SRCC.
        alpha: level below which a difference is claimed.

    Raises:
        ValueError: not the same number of values, none at all, or one that is not finite.
    """
    differences = _differences(a, b)
    n = len(differences)
    if not differences.any():
        return f"{metric}: {name_a} and {name_b} are equal in all {n} pairs."
    # One value per repeat: what the test ranks are the differences within a repeat, not the two sets of values.
    median = float(np.median(differences))
    p = float(stats.wilcoxon(differences).pvalue)
    facts = f"median difference {median:+.3f}, p {_probability(p)}, n = {n} pairs"
    if p < alpha:
        word = "higher" if median > 0 else "lower"
        return f"{metric} of {name_a} is {word} than that of {name_b} ({facts})."
    return (
        f"{metric}: no difference between {name_a} and {name_b} can be claimed ({facts}{_too_few(differences, alpha)})."
    )


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(f"paired values are needed, not arrays of shapes {first.shape} and {second.shape}")
    if not np.isfinite(first - second).all():
        raise ValueError("every value must be finite")
    return first - second


def _too_few(differences: np.ndarray, alpha: float) -> str:
    # Even if every difference has the same sign, the test's two-sided p is 2 / 2^n; ties between a and b do not count.
    used = np.count_nonzero(differences)
    least = min(2 / 2**used, 1)
    if least < alpha:
        return ""
    return f"; {used} differing pairs cannot reach p < {alpha:g}, as the least possible p is {least:.2g}"


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
