"""Bayesian ridge regression on frozen embeddings from a few labels.

It averages over all noise levels of the labels, weighted by marginal likelihood (MacKay, Neural Computation 1992): with
ten labels, the best strength of a penalty is mostly chance. Several regressions, on embeddings read behind different
blocks, are stacked (Breiman, Machine Learning 1996).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

NOISES = np.logspace(-2.5, 2.5, 21)
"""Variances of the noise, as multiples of that of the weights, all alike probable beforehand. Where the labels are few,
noise without end and none at all stay possible: the ends of this grid are part of what is assumed."""
TRUST = 5.0
"""Strength of the trust in the first of several regressions: twice as many labels, all for another one, halve it.
Chosen on BIQ2021."""


@dataclass(frozen=True)
class Posterior:
    """Posterior of weights that are independent and of equal variance a priori.

    Args:
        weights: their posterior mean under each level of noise.
        odds: probability of each level.
        centre: mean of the embeddings, where the mean of the scores is predicted.
        level: mean of the scores.
        scales: variance of the weights a priori, as the scores tell it under each level of noise.
        left_out: what every label is predicted to be without it, by leave-one-out.
        known: along each of `directions`, the share of that variance which the labels take away.
        directions: orthonormal, in which the labelled embeddings differ.
    """

    weights: Float[np.ndarray, "noise e"]
    odds: Float[np.ndarray, " noise"]
    centre: Float[np.ndarray, " e"]
    level: float
    scales: Float[np.ndarray, " noise"]
    left_out: Float[np.ndarray, " k"]
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
    odds, known = odds / odds.sum(), sizes**2 / variances
    kept = odds @ known
    own = 1 / len(train) + kept @ left**2  # by how much each label moves its own prediction
    left_out = scores - (scores - level - (kept * seen) @ left) / np.maximum(1 - own, np.finfo(float).eps)
    told = (centre, float(level), misfit / free, left_out, known, right)
    return Posterior((sizes * seen / variances) @ right, odds, *told)


def stack(left_out: Float[np.ndarray, "block k"], scores: Float[np.ndarray, " k"]) -> Float[np.ndarray, " block"]:
    """Shares of several regressions in their mean, none of them negative.

    By least squares they predict `scores` from what each regression predicts without the label at hand. Beforehand all
    is the first one's, by `TRUST`.

    >>> scores = np.array([0.0, 1.0, 2.0, 3.0])
    >>> stack(np.stack([scores[::-1], scores]), scores).round(2).tolist()
    [0.38, 0.62]
    """
    level, unit = scores.mean(), scores.std() or 1.0
    beforehand, certain = np.sqrt(TRUST) * np.eye(len(left_out)), 1e3 * np.ones(len(left_out))  # that they add up to 1
    rows = np.vstack([(left_out - level).T / unit, beforehand, certain])
    shares, _ = optimize.nnls(rows, np.concatenate([(scores - level) / unit, beforehand[0], certain[:1]]))
    return shares / shares.sum()
