"""Ridge regression on frozen embeddings: the baseline without prompts, and the probe."""

import numpy as np
from jaxtyping import Float
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)
"""Strengths among which leave-one-out error on the labelled images alone decides: for embeddings of length 1, whose
variance sums to about 0.1 over the channels."""
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
    """Predictions for every strength: what somebody who selects on the test part would choose from."""
    fitted = (_scaled(Ridge(alpha), standardise).fit(train, scores) for alpha in _strengths(standardise))
    return np.stack([one.predict(test) for one in fitted])


def _strengths(standardise: bool) -> Float[np.ndarray, " alpha"]:
    return ALPHAS_STANDARDISED if standardise else ALPHAS


def _scaled(ridge: RegressorMixin, standardise: bool) -> RegressorMixin:
    return make_pipeline(StandardScaler(), ridge) if standardise else ridge
