"""Measures on a user's own labels how well regressions on some of them predict the others: repeated cross-validation.

It is that of the probe alone, which is fitted in closed form; the fine-tuned part of the quality takes no part in it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.model_selection import RepeatedKFold

from grmp.metrics import DECIMALS, Scores, fit_logistic, srcc
from grmp.probe_fit import regress
from grmp.scoring.card import HeldOut

FOLDS, REPEATS = 5, 10
FEWEST = 10
"""Labels; a correlation over fewer says nothing."""
DRAWS = 400  # of the bootstrap
ENDS = (0.025, 0.975)
"""Quantiles between which an interval lies."""
HOW = f"regressions alone, by {FOLDS}-fold cross-validation, {REPEATS} times; in brackets 95 % of resamples of images"


@dataclass(frozen=True)
class Validation:
    """What regressions predict for images that they have not seen, one row per repeat, and those images' labels.

    Each regression's predictions are in units of their spread over all images, from their mean: those of different
    folds differ in both, which would count as errors where they are compared.
    `curve` has the mean SRCC by the number of labels that were learned from, ascending; its last is of `predicted`.
    """

    predicted: Float[np.ndarray, "repeat n"]
    true: Float[np.ndarray, " n"]
    curve: dict[int, float]
    seed: int

    def mapped(self) -> Scores:
        """The mean predictions on the scale of the labels, by the logistic."""
        return fit_logistic(self.predicted.mean(axis=0), self.true)

    def held_out(self, untuned: Scores) -> HeldOut:
        """SRCC, PLCC and RMSE, means over the repeats, beside those of the untuned scorer on the same labels.

        The intervals are by bootstrap over the images (percentiles); every resample takes one repeat's predictions,
        and the logistic that was fitted to all of them.
        """
        draws = np.random.default_rng(self.seed).integers(len(self.true), size=(DRAWS, len(self.true)))
        fitted = [fit_logistic(row, self.true) for row in self.predicted]
        each = [_measured(*given, self.true) for given in zip(self.predicted, fitted)]
        resampled = [
            _measured(self.predicted[number % REPEATS, at], fitted[number % REPEATS][at], self.true[at])
            for number, at in enumerate(draws)
        ]
        ends = pd.DataFrame(resampled).quantile(ENDS).round(DECIMALS)
        return HeldOut(
            images=len(self.true),
            **pd.DataFrame(each).mean().round(DECIMALS).to_dict(),
            how=HOW,
            intervals={name: tuple(values) for name, values in ends.items()},
            untuned=_measured(untuned, fit_logistic(untuned, self.true), self.true),
            curve=self.curve,
        )


def validate(
    middle: Float[np.ndarray, "n block e"],
    scores: Float[np.ndarray, " n"],
    roots: Float[np.ndarray, "block e e"] | None,
    seed: int,
) -> Validation | None:
    """Cross-validation of the regressions on embeddings and their scores in [0, 1]; None below `FEWEST` labels.

    That the ends of the scale are those of all labels tells the regressions nothing: they predict the same on any.
    """
    count = len(scores)
    if count < FEWEST:
        return None
    most, draw = count - count // FOLDS, np.random.default_rng(seed)
    sizes = sorted({most} | {size for power in range(count.bit_length()) if (size := FEWEST * 2**power) < most})
    predicted = np.empty((len(sizes), REPEATS, count))
    folds = RepeatedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    for number, (train, test) in enumerate(folds.split(middle)):
        order = draw.permutation(train)
        for rows, size in zip(predicted, sizes):
            seen = order[:size]  # the whole of it for the last
            found, _ = regress(middle[seen], scores[seen], roots).predict(middle)
            rows[number // FOLDS, test] = ((found - found.mean()) / (found.std() or 1.0))[test]
    means = (float(np.mean([srcc(row, scores) for row in rows])) for rows in predicted)
    return Validation(predicted[-1], scores, {size: round(mean, DECIMALS) for size, mean in zip(sizes, means)}, seed)


def agreement(predicted: Scores, true: Scores, how: str) -> HeldOut:
    """SRCC, PLCC and RMSE on labels that were not trained on."""
    found = _measured(predicted, fit_logistic(predicted, true), true)
    return HeldOut.model_validate({"images": len(true), "how": how, **found})


def _measured(predicted: Scores, fitted: Scores, true: Scores) -> dict[str, float]:
    """As `grmp.metrics` has them, where the logistic is `fitted` already."""
    linear = np.corrcoef(fitted, true)[0, 1] if fitted.std() * true.std() else 0.0
    found = {"srcc": srcc(predicted, true), "plcc": linear, "rmse": np.sqrt(np.mean((fitted - true) ** 2))}
    return {name: round(float(value), DECIMALS) for name, value in found.items()}
