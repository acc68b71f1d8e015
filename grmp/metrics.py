"""Agreement between predicted and given scores, as the field reports it (VQEG; ITU-T P.1401)."""

import warnings

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

Scores = Float[np.ndarray, " n"]
DECIMALS = 4  # of every metric that is written to a file


class ConstantPredictionsWarning(UserWarning):
    """All predictions (or all scores) are equal: no correlation exists, and 0 is reported."""


def srcc(predicted: Scores, true: Scores) -> float:
    """Spearman's rank correlation, -1 to 1; 0 with a warning where either side is constant."""
    return 0.0 if _constant(predicted, true) else float(stats.spearmanr(predicted, true).statistic)


def krcc(predicted: Scores, true: Scores) -> float:
    """Kendall's tau-b, -1 to 1; 0 with a warning where either side is constant."""
    return 0.0 if _constant(predicted, true) else float(stats.kendalltau(predicted, true).statistic)


def plcc(predicted: Scores, true: Scores) -> float:
    """Pearson's correlation after the four-parameter logistic, -1 to 1; 0 with a warning where either is constant."""
    return 0.0 if _constant(predicted, true) else float(stats.pearsonr(fit_logistic(predicted, true), true).statistic)


def rmse(predicted: Scores, true: Scores) -> float:
    """Root mean squared error after the logistic, in units of the true score."""
    return float(np.sqrt(np.mean((fit_logistic(predicted, true) - true) ** 2)))


def all_metrics(predicted: Scores, true: Scores) -> dict[str, float]:
    """SRCC, PLCC, KRCC and RMSE, rounded to the `DECIMALS` that are written."""
    return {metric.__name__: round(metric(predicted, true), DECIMALS) for metric in (srcc, plcc, krcc, rmse)}


def fit_logistic(predicted: Scores, true: Scores) -> Scores:
    """`predicted` mapped onto the scale of `true` by the monotone four-parameter logistic, fitted by least squares.

    Where the fit does not converge (few or flat points), the best straight line stands in.
    """
    if np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return np.full_like(true, np.mean(true), dtype=float)
    scaled = (predicted - predicted.mean()) / predicted.std()
    slope = np.sign(np.corrcoef(scaled, true)[0, 1]) or 1.0
    first = [true.max(), true.min(), 0.0, slope]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            best, _ = optimize.curve_fit(_logistic, scaled, true, p0=first, maxfev=5000)
        return _logistic(scaled, *best)
    except (RuntimeError, TypeError):
        return np.polyval(np.polyfit(scaled, true, 1), scaled)


def _logistic(x: Scores, top: float, bottom: float, centre: float, slope: float) -> Scores:
    return bottom + (top - bottom) / (1 + np.exp(-np.clip(slope * (x - centre), -50, 50)))


def _constant(predicted: Scores, true: Scores) -> bool:
    constant = np.ptp(predicted) == 0 or np.ptp(true) == 0
    if constant:
        warnings.warn("predictions or scores are all equal; correlation set to 0", ConstantPredictionsWarning, 3)
    return bool(constant)
