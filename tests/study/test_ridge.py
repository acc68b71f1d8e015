import numpy as np
import pytest

from grmp.prior import ALPHAS
from study.stages.ridge import fit_predict, predict_each


def data(seed: int, labelled: int = 12, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    train, test = random.normal(size=(labelled, 6)), random.normal(size=(9, 6))
    return train, train @ np.linspace(-1, 1, 6) + noise * random.normal(size=labelled), test


def ridge(train: np.ndarray, scores: np.ndarray, test: np.ndarray, alpha: float) -> np.ndarray:
    """Ridge regression by its closed form; the mean is not shrunk."""
    mean, level = train.mean(axis=0), scores.mean()
    centred = train - mean
    weights = np.linalg.solve(centred.T @ centred + alpha * np.eye(train.shape[1]), centred.T @ (scores - level))
    return (test - mean) @ weights + level


def leave_one_out(train: np.ndarray, scores: np.ndarray, alpha: float) -> float:
    kept = [np.arange(len(scores)) != i for i in range(len(scores))]
    return sum((ridge(train[k], scores[k], train[~k], alpha)[0] - scores[~k][0]) ** 2 for k in kept)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.01, 2.0])
def test_the_strength_is_the_one_of_the_least_leave_one_out_error(seed: int, noise: float) -> None:
    train, scores, test = data(seed, noise=noise)
    best = min(ALPHAS, key=lambda alpha: leave_one_out(train, scores, alpha))
    np.testing.assert_allclose(fit_predict(train, scores, test), ridge(train, scores, test, best), rtol=1e-6)


def test_the_test_images_have_no_say_in_each_others_predictions() -> None:
    train, scores, test = data(0)
    both, alone = fit_predict(train, scores, test), fit_predict(train, scores, test[3:4])
    np.testing.assert_allclose(both[3], alone[0], rtol=1e-12)


def test_there_is_a_row_of_predictions_per_strength() -> None:
    train, scores, test = data(1)
    found = predict_each(train, scores, test)
    assert found.shape == (len(ALPHAS), len(test))
    for row, alpha in zip(found, ALPHAS, strict=True):
        np.testing.assert_allclose(row, ridge(train, scores, test, alpha), rtol=1e-6)


def test_the_chosen_predictions_are_among_the_candidates() -> None:
    train, scores, test = data(2)
    distances = np.abs(predict_each(train, scores, test) - fit_predict(train, scores, test)).max(axis=1)
    assert distances.min() < 1e-9


def test_two_labelled_images_are_enough() -> None:
    assert np.isfinite(fit_predict(*data(3, labelled=2))).all()


@pytest.mark.parametrize("standardise", [False, True])
def test_the_scale_of_a_channel_matters_unless_they_are_standardised(standardise: bool) -> None:
    generator = np.random.default_rng(3)
    train, test, scores = generator.normal(size=(12, 5)), generator.normal(size=(7, 5)), generator.random(12)
    stretch = np.array([1, 1, 100, 1, 1])
    before, after = (fit_predict(train * by, scores, test * by, standardise) for by in (1, stretch))
    assert np.allclose(before, after) == standardise
    each = predict_each(train, scores, test, standardise)
    assert any(np.allclose(fit_predict(train, scores, test, standardise), row) for row in each)
