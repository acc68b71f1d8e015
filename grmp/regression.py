"""Regressions on frozen embeddings from a few labels: ridge, and Bayesian where a prior of the weights is known.

Ridge chooses one strength by leave-one-out. The Bayesian regression averages over all noise levels of the labels,
weighted by marginal likelihood (MacKay, Neural Computation 1992): with ten labels, the best strength is mostly chance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)
"""Strengths among which leave-one-out error on the labelled images alone decides: for embeddings of length 1, whose
variance sums to about 0.1 over the channels."""
ALPHAS_STANDARDISED = np.logspace(-3, 5, 17)
"""The same for channels of variance 1, whose squares are larger."""
NOISES = np.logspace(-2.5, 2.5, 21)
"""Variances of the noise, as multiples of that of the weights, all alike probable beforehand. Where the labels are few,
noise without end and none at all stay possible: the ends of this grid are part of what is assumed."""


def fit_predict(
    train: Float[np.ndarray, "k e"],
    scores: Float[np.ndarray, " k"],
    test: Float[np.ndarray, "n e"],
    standardise: bool = False,
) -> Float[np.ndarray, " n"]:
    """Predictions for `test` of the ridge whose strength leave-one-out chooses on the labelled images.

    With `standardise`, every channel is first brought to mean 0 and variance 1 over the labelled images.

    >>> embeddings, scores = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 0.2, 0.4, 0.6])
    >>> fit_predict(embeddings, scores, np.array([[1.5]])).round(3)
    array([0.3])
    """
    return _scaled(RidgeCV(_strengths(standardise)), standardise).fit(train, scores).predict(test)


def coefficients(
    train: Float[np.ndarray, "k e"], scores: Float[np.ndarray, " k"], standardise: bool = False
) -> tuple[Float[np.ndarray, " e"], float]:
    """Weights and bias of the ridge of `fit_predict`, for embeddings as they come."""
    bias = fit_predict(train, scores, np.zeros((1, train.shape[1])), standardise)[0]
    return fit_predict(train, scores, np.eye(train.shape[1]), standardise) - bias, float(bias)


def predict_each(
    train: Float[np.ndarray, "k e"],
    scores: Float[np.ndarray, " k"],
    test: Float[np.ndarray, "n e"],
    standardise: bool = False,
) -> Float[np.ndarray, "alpha n"]:
    """Predictions for every strength of the penalty, among which selection on the test part would choose."""
    fitted = (_scaled(Ridge(alpha), standardise).fit(train, scores) for alpha in _strengths(standardise))
    return np.stack([one.predict(test) for one in fitted])


def _strengths(standardise: bool) -> Float[np.ndarray, " alpha"]:
    return ALPHAS_STANDARDISED if standardise else ALPHAS


def _scaled(ridge: RegressorMixin, standardise: bool) -> RegressorMixin:
    return make_pipeline(StandardScaler(), ridge) if standardise else ridge


@dataclass(frozen=True)
class Posterior:
    """Posterior of weights that are independent and of equal variance a priori.

    Args:
        weights: their posterior mean under each level of noise.
        odds: probability of each level.
        centre: mean of the embeddings, where the mean of the scores is predicted.
        level: mean of the scores.
        scales: variance of the weights a priori, as the scores tell it under each level of noise.
        known: along each of `directions`, the share of that variance which the labels take away.
        directions: orthonormal, in which the labelled embeddings differ.
    """

    weights: Float[np.ndarray, "noise e"]
    odds: Float[np.ndarray, " noise"]
    centre: Float[np.ndarray, " e"]
    level: float
    scales: Float[np.ndarray, " noise"]
    known: Float[np.ndarray, "noise r"]
    directions: Float[np.ndarray, "r e"]

    def coefficients(self) -> tuple[Float[np.ndarray, " e"], float]:
        """Weights and bias of the prediction, averaged over the noise."""
        weight = self.odds @ self.weights
        return weight, float(self.level - self.centre @ weight)

    def predict_each(self, test: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "noise n"]:
        """Predictions under each level of noise, among which selection on the test part would choose."""
        return self.level + self.weights @ (test - self.centre).T

    def margin(self, labels: int) -> tuple[Float[np.ndarray, "e e"], float]:
        """`A` and `b`: in nine of ten cases the label of `f` is within `sqrt((f - centre) A (f - centre) + b)`.

        In that are the uncertainty of the weights and of the level, and the noise of one label; by Student's t, as the
        scale is known from so many `labels`.
        """
        odds, width = self.odds * self.scales, stats.t.ppf(0.95, labels - 1) ** 2
        moved = self.weights - self.odds @ self.weights
        form = odds.sum() * np.eye(len(self.centre)) - (self.directions.T * (odds @ self.known)) @ self.directions
        form += (moved.T * self.odds) @ moved
        return width * form, float(width * (odds @ NOISES) * (1 + 1 / labels))


def fit_bayes(train: Float[np.ndarray, "k e"], scores: Float[np.ndarray, " k"]) -> Posterior:
    """The posterior from labelled embeddings. The scores' mean, and the logarithm of their scale, have flat priors.

    >>> posterior = fit_bayes(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 0.2, 0.4, 0.6]))
    >>> weight, bias = posterior.coefficients()
    >>> round(float(1.5 * weight[0] + bias), 6)  # at the mean of the embeddings
    0.3
    """
    centre, level = train.mean(axis=0), scores.mean()
    left, sizes, right = np.linalg.svd(train - centre, full_matrices=False)
    left, sizes, right = (part[: len(train) - 1] for part in (left.T, sizes, right))  # the mean took one dimension
    seen, free = left @ (scores - level), len(train) - 1
    variances = sizes**2 + NOISES[:, None]  # of the scores, along each direction
    unseen = max(np.square(scores - level).sum() - np.square(seen).sum(), 0.0)
    misfit = (seen**2 / variances).sum(axis=1) + unseen / NOISES
    volume = np.log(variances).sum(axis=1) + (free - len(sizes)) * np.log(NOISES)
    evidence = -0.5 * (volume + free * np.log(np.maximum(misfit, np.finfo(float).tiny)))
    odds = np.exp(evidence - evidence.max())
    told = (centre, float(level), misfit / free, sizes**2 / variances, right)
    return Posterior((sizes * seen / variances) @ right, odds / odds.sum(), *told)
