"""Ridge regression on frozen embeddings: the baseline without prompts, and the probe."""

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import Ridge, RidgeCV

ALPHAS = np.logspace(-3, 3, 13)
"""Strengths among which leave-one-out error on the labelled images alone decides."""


def fit_predict(
    train: Float[np.ndarray, "k e"], scores: Float[np.ndarray, " k"], test: Float[np.ndarray, "n e"]
) -> Float[np.ndarray, " n"]:
    """Predictions for `test` of the ridge whose strength leave-one-out chooses on the labelled images."""
    return RidgeCV(ALPHAS).fit(train, scores).predict(test)


def predict_each(
    train: Float[np.ndarray, "k e"], scores: Float[np.ndarray, " k"], test: Float[np.ndarray, "n e"]
) -> Float[np.ndarray, "alpha n"]:
    """Predictions for every strength of `ALPHAS`: what somebody who selects on the test part would choose from."""
    return np.stack([Ridge(alpha).fit(train, scores).predict(test) for alpha in ALPHAS])
