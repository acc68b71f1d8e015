"""The baseline: ridge regression on frozen embeddings, whose strength leave-one-out chooses on the labelled images."""

import numpy as np
from jaxtyping import Float
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grmp.prior import ALPHAS

ALPHAS_STANDARDISED = np.logspace(-3, 5, 17)
"""The same for channels of variance 1, whose squares are larger."""


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
