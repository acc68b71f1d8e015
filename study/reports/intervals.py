"""Means and medians over repeats, and their intervals."""

from collections.abc import Iterable

import numpy as np
from scipy import stats

LEVEL = 0.95
"""What the intervals below are meant to hold."""


def t_interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and half the width of its confidence interval by Student's t; the half is 0 for a single value."""
    numbers = np.asarray(list(values), dtype=float)
    if len(numbers) < 2:
        return float(numbers.mean()), 0.0
    spread = stats.sem(numbers) * stats.t.ppf((1 + LEVEL) / 2, len(numbers) - 1)
    return float(numbers.mean()), float(spread)


def median_interval(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, and the ends of its interval by order statistics: no distribution is assumed.

    The ends are the values between which the median lies with at least `LEVEL`; of fewer than six values none are so
    sure, and the ends are the least and the greatest. `median_level` tells how sure they are.
    """
    numbers = np.sort(np.asarray(list(values), dtype=float))
    n = len(numbers)
    rank = _order_rank(n)
    return float(np.median(numbers)), float(numbers[rank - 1]), float(numbers[n - rank])


def median_level(n: int) -> float:
    """The true level of `median_interval` for n values: 0.979 for ten, whose second and ninth are the ends."""
    return float(1 - 2 * stats.binom.cdf(_order_rank(n) - 1, n, 0.5))


def _order_rank(n: int) -> int:
    # Leaving r - 1 values out at either end misses the median with 2 P(B < r), B binomial of n fair coins.
    missed = 2 * stats.binom.cdf(np.arange((n + 1) // 2), n, 0.5)
    return max(int((missed <= 1 - LEVEL).sum()), 1)
