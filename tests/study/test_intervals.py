import numpy as np
import pytest
from scipy import stats

from study.reports.intervals import median_interval, median_level, t_interval


def test_t_interval_is_scipys() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, half = t_interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert t_interval([0.3]) == (0.3, 0.0)


@pytest.mark.parametrize(("n", "low"), [(1, 1), (5, 1), (8, 1), (9, 2), (10, 2), (20, 6)])
def test_the_medians_interval_leaves_out_as_many_values_as_the_sign_test_allows(n: int, low: int) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    assert median_interval(values) == (np.median(values), low, n + 1 - low)
    covered = [1 - 2 * stats.binom.cdf(rank - 1, n, 0.5) for rank in (low, low + 1)]
    assert covered[0] >= 0.95 or low == 1
    assert covered[1] < 0.95


@pytest.mark.parametrize(("n", "level"), [(5, 0.9375), (10, 0.978515625), (1, 0.0)])
def test_the_medians_interval_is_called_by_its_true_level(n: int, level: float) -> None:
    assert median_level(n) == pytest.approx(level)
