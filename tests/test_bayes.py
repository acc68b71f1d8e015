import numpy as np
import pytest
from grmp.bayes import NOISES, fit
from sklearn.linear_model import Ridge


def data(seed: int, labelled: int, noise: float, channels: int = 30) -> tuple[np.ndarray, ...]:
    """Labelled embeddings, their scores, others, and what scores these have without noise."""
    random = np.random.default_rng(seed)
    train, test = random.normal(size=(labelled, channels)), random.normal(size=(200, channels))
    weights = random.normal(size=channels)
    return train + 5, 3 + train @ weights + noise * random.normal(size=labelled), test + 5, 3 + test @ weights


@pytest.mark.parametrize("labelled", [2, 12, 31, 80])
def test_each_level_of_noise_is_a_ridge_regression(labelled: int) -> None:
    train, scores, test, _ = data(1, labelled, 0.5)
    for found, noise in zip(fit(train, scores).predict_each(test), NOISES, strict=True):
        np.testing.assert_allclose(found, Ridge(noise, solver="svd").fit(train, scores).predict(test), rtol=1e-6)


@pytest.mark.parametrize("labelled", [6, 30, 80])
def test_a_level_is_as_probable_as_it_makes_the_scores(labelled: int) -> None:
    train, scores, *_ = data(2, labelled, 1.0)
    # Directions of the scores that a free mean leaves, and the density of a Gaussian whose scale is free in them.
    basis = np.linalg.svd(np.ones((1, labelled)))[2][1:]
    expected = []
    for noise in NOISES:
        covariance = basis @ (train @ train.T + noise * np.eye(labelled)) @ basis.T
        misfit = basis @ scores @ np.linalg.solve(covariance, basis @ scores)
        expected.append(-0.5 * (np.linalg.slogdet(covariance)[1] + (labelled - 1) * np.log(misfit)))
    density = np.exp(np.array(expected) - max(expected))
    np.testing.assert_allclose(fit(train, scores).odds, density / density.sum(), rtol=1e-6, atol=1e-12)


def test_more_noise_in_the_labels_makes_more_of_it_probable() -> None:
    levels = [fit(*data(3, 60, noise)[:2]).odds @ np.log10(NOISES) for noise in (0.01, 1.0, 10.0)]
    assert levels == sorted(levels)
    assert levels[2] > levels[0] + 1


def test_the_coefficients_predict_the_mean_over_the_noise() -> None:
    train, scores, test, _ = data(4, 20, 0.5)
    found = fit(train, scores)
    weight, bias = found.coefficients()
    np.testing.assert_allclose(test @ weight + bias, found.odds @ found.predict_each(test), rtol=1e-9)


def test_with_enough_labels_the_truth_is_found() -> None:
    train, scores, test, truth = data(5, 300, 0.1)
    weight, bias = fit(train, scores).coefficients()
    assert np.corrcoef(test @ weight + bias, truth)[0, 1] > 0.999


def test_labels_that_are_all_equal_predict_themselves() -> None:
    train, _, test, _ = data(6, 8, 0.0)
    weight, bias = fit(train, np.full(8, 0.4)).coefficients()
    np.testing.assert_allclose(test @ weight + bias, 0.4)
