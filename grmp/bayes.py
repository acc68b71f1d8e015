"""Bayesian linear regression on a few labels: a probe whose weights' prior is known, and whose noise is not.

Where ridge regression chooses one strength, every level of the labels' noise has its say here, by how probable it makes
the labels (MacKay, Neural Computation 1992): with ten labels, the best one of a few strengths is a matter of luck.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

NOISES = np.logspace(-2.5, 2.5, 21)
"""Variances of the noise, as multiples of that of the weights, all alike probable beforehand. Where the labels are few,
noise without end and none at all stay possible: the ends of this grid are part of what is assumed."""


@dataclass(frozen=True)
class Posterior:
    """What the labels say of weights that are independent and alike a priori.

    Args:
        weights: their posterior mean under each level of noise.
        odds: probability of each level.
        centre: mean of the embeddings, where the mean of the scores is predicted.
        level: mean of the scores.
    """

    weights: Float[np.ndarray, "noise e"]
    odds: Float[np.ndarray, " noise"]
    centre: Float[np.ndarray, " e"]
    level: float

    def coefficients(self) -> tuple[Float[np.ndarray, " e"], float]:
        """Weights and bias of the prediction, averaged over the noise."""
        weight = self.odds @ self.weights
        return weight, float(self.level - self.centre @ weight)

    def predict_each(self, test: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "noise n"]:
        """Predictions under each level of noise: what somebody who selects on the test part would choose from."""
        return self.level + self.weights @ (test - self.centre).T


def fit(train: Float[np.ndarray, "k e"], scores: Float[np.ndarray, " k"]) -> Posterior:
    """The posterior from labelled embeddings. The scores' mean, and the logarithm of their scale, have flat priors."""
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
    return Posterior((sizes * seen / variances) @ right, odds / odds.sum(), centre, float(level))
