"""Agreement between predicted and given scores, as the field reports it (VQEG; ITU-T P.1401)."""

import warnings

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from grmp.errors import UserError

Scores = Float[np.ndarray, " n"]
DECIMALS = 4  # of every metric that is written to a file


class ConstantPredictionsWarning(UserWarning):
    """All predictions (or all scores) are equal: no correlation exists, and 0 is reported.

    Not NaN, which means and tests over repeats would leave out: predictions that tell nothing apart are a bad result,
    and count as one. 0 is what predictions in random order have on average.
    """


def srcc(predicted: Scores, true: Scores) -> float:
    """Spearman's rank correlation, -1 to 1, ties at their mean rank; 0 with a warning where either side is constant.

    Raises:
        UserError: as all metrics, where a value is not finite, or there are none.

    >>> srcc(np.array([0.1, 0.2, 0.9]), np.array([1.0, 3.0, 5.0]))
    1.0
    >>> srcc(np.array([0.1, 0.2, 0.9]), np.array([5.0, 3.0, 1.0]))
    -1.0
    """
    return 0.0 if _constant(predicted, true) else float(stats.spearmanr(predicted, true).statistic)


def krcc(predicted: Scores, true: Scores) -> float:
    """Kendall's tau-b, -1 to 1; 0 with a warning where either side is constant."""
    return 0.0 if _constant(predicted, true) else float(stats.kendalltau(predicted, true).statistic)


def plcc(predicted: Scores, true: Scores) -> float:
    """Pearson's correlation after the four-parameter logistic, -1 to 1; 0 with a warning where either is constant."""
    if _constant(predicted, true):
        return 0.0
    fitted = fit_logistic(predicted, true)
    return 0.0 if _constant(fitted, true) else float(stats.pearsonr(fitted, true).statistic)


def rmse(predicted: Scores, true: Scores) -> float:
    """Root mean squared error after the logistic, in units of the true score."""
    return float(np.sqrt(np.mean((fit_logistic(predicted, true) - true) ** 2)))


def all_metrics(predicted: Scores, true: Scores) -> dict[str, float]:
    """SRCC, PLCC, KRCC and RMSE, rounded to the `DECIMALS` that are written."""
    return {metric.__name__: round(metric(predicted, true), DECIMALS) for metric in (srcc, plcc, krcc, rmse)}


def fit_logistic(predicted: Scores, true: Scores) -> Scores:
    """`predicted` mapped onto the scale of `true` by the monotone four-parameter logistic, fitted by least squares.

    Where the fit does not converge (few or flat points), or ends at a constant, the best straight line stands in.

    Raises:
        UserError: a value is not finite, or there are none.
    """
    predicted, true = _checked(predicted, true)
    scaled = _standardised(predicted)
    if not scaled.any() or np.ptp(true) == 0:
        return np.full_like(true, np.mean(true))
    fitted = _least_squares(scaled, true)
    return fitted if np.isfinite(fitted).all() and np.ptp(fitted) else np.polyval(np.polyfit(scaled, true, 1), scaled)


def _standardised(values: Scores) -> Scores:
    """Mean 0 and spread 1; all 0 where the values are equal, or so nearly that their spread cannot be told."""
    spread = np.ptp(values)
    if spread <= np.finfo(float).eps * np.abs(values).max():
        return np.zeros_like(values)
    centred = (values - values.min()) / spread  # before squares are taken, which could vanish or overflow
    return (centred - centred.mean()) / centred.std()


def _least_squares(scaled: Scores, true: Scores) -> Scores:
    """What the logistic makes of `scaled`; of NaN where it does not converge."""
    slope = np.sign(np.corrcoef(scaled, true)[0, 1]) or 1.0
    first = [true.max(), true.min(), 0.0, slope]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            best, _ = optimize.curve_fit(_logistic, scaled, true, p0=first, maxfev=5000)
        return _logistic(scaled, *best)
    except (RuntimeError, TypeError, ValueError):
        return np.full_like(true, np.nan)


def _logistic(x: Scores, top: float, bottom: float, centre: float, slope: float) -> Scores:
    return bottom + (top - bottom) / (1 + np.exp(-np.clip(slope * (x - centre), -50, 50)))


def _checked(predicted: Scores, true: Scores) -> tuple[Scores, Scores]:
    both = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    for name, values in zip(("predictions", "scores"), both):
        if not len(values):
            raise UserError(f"{name}: there are none to compare; the test part is empty")
        if not np.isfinite(values).all():
            wrong = int((~np.isfinite(values)).sum())
            raise UserError(f"{name}: {wrong} of {len(values)} are not finite numbers; nothing can be said about them")
    return both


def _constant(predicted: Scores, true: Scores) -> bool:
    predicted, true = _checked(predicted, true)
    constant = np.ptp(predicted) == 0 or np.ptp(true) == 0
    if constant:
        warnings.warn("predictions or scores are all equal; correlation set to 0", ConstantPredictionsWarning, 3)
    return bool(constant)
