import numpy as np
import pytest
from sklearn.linear_model import Ridge

from grmp.regression import NOISES, TRUST, fit_bayes, stack


def bayes_data(seed: int, labelled: int, noise: float, channels: int = 30) -> tuple[np.ndarray, ...]:
    """Labelled embeddings, their scores, others, and what scores these have without noise."""
    random = np.random.default_rng(seed)
    train, test = random.normal(size=(labelled, channels)), random.normal(size=(200, channels))
    weights = random.normal(size=channels)
    return train + 5, 3 + train @ weights + noise * random.normal(size=labelled), test + 5, 3 + test @ weights


@pytest.mark.parametrize("labelled", [2, 12, 31, 80])
def test_each_level_of_noise_is_a_ridge_regression(labelled: int) -> None:
    train, scores, test, _ = bayes_data(1, labelled, 0.5)
    for found, noise in zip(fit_bayes(train, scores).predict_each(test), NOISES, strict=True):
        np.testing.assert_allclose(found, Ridge(noise, solver="svd").fit(train, scores).predict(test), rtol=1e-6)


@pytest.mark.parametrize("labelled", [6, 30, 80])
def test_a_level_is_as_probable_as_it_makes_the_scores(labelled: int) -> None:
    train, scores, *_ = bayes_data(2, labelled, 1.0)
    # Directions of the scores that a free mean leaves, and the density of a Gaussian whose scale is free in them.
    basis = np.linalg.svd(np.ones((1, labelled)))[2][1:]
    expected = []
    for noise in NOISES:
        covariance = basis @ (train @ train.T + noise * np.eye(labelled)) @ basis.T
        misfit = basis @ scores @ np.linalg.solve(covariance, basis @ scores)
        expected.append(-0.5 * (np.linalg.slogdet(covariance)[1] + (labelled - 1) * np.log(misfit)))
    density = np.exp(np.array(expected) - max(expected))
    np.testing.assert_allclose(fit_bayes(train, scores).odds, density / density.sum(), rtol=1e-6, atol=1e-12)


def test_more_noise_in_the_labels_makes_more_of_it_probable() -> None:
    levels = [fit_bayes(*bayes_data(3, 60, noise)[:2]).odds @ np.log10(NOISES) for noise in (0.01, 1.0, 10.0)]
    assert levels == sorted(levels)
    assert levels[2] > levels[0] + 1


def test_the_coefficients_predict_the_mean_over_the_noise() -> None:
    train, scores, test, _ = bayes_data(4, 20, 0.5)
    found = fit_bayes(train, scores)
    weight, bias = found.coefficients()
    np.testing.assert_allclose(test @ weight + bias, found.odds @ found.predict_each(test), rtol=1e-9)


def test_with_enough_labels_the_truth_is_found() -> None:
    train, scores, test, truth = bayes_data(5, 300, 0.1)
    weight, bias = fit_bayes(train, scores).coefficients()
    assert np.corrcoef(test @ weight + bias, truth)[0, 1] > 0.999


def test_labels_that_are_all_equal_predict_themselves() -> None:
    train, _, test, _ = bayes_data(6, 8, 0.0)
    weight, bias = fit_bayes(train, np.full(8, 0.4)).coefficients()
    np.testing.assert_allclose(test @ weight + bias, 0.4)


@pytest.mark.parametrize("labelled", [2, 3, 12, 60])
def test_what_is_left_out_is_predicted_by_the_others_at_the_same_odds(labelled: int) -> None:
    train, scores, *_ = bayes_data(7, labelled, 1.0)
    found = fit_bayes(train, scores)
    assert np.isfinite(found.left_out).all()
    # The mean hat matrix over the noise, one label at a time.
    hats = []
    for noise in NOISES:
        ridge = Ridge(noise, solver="svd")
        hats.append(np.stack([ridge.fit(train, one).predict(train) for one in np.eye(labelled)], axis=1))
    hat = np.tensordot(found.odds, np.stack(hats), axes=1)
    errors = (scores - hat @ scores) / (1 - np.diag(hat))
    np.testing.assert_allclose(found.left_out, scores - errors, rtol=1e-5, atol=1e-7)


def test_with_one_level_of_noise_leaving_out_is_fitting_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grmp.regression.NOISES", np.array([3.0]))
    train, scores, *_ = bayes_data(8, 15, 1.0)
    kept = [np.arange(15) != left for left in range(15)]
    expected = [Ridge(3.0).fit(train[k], scores[k]).predict(train[~k])[0] for k in kept]
    np.testing.assert_allclose(fit_bayes(train, scores).left_out, expected, rtol=1e-7)


def test_without_any_evidence_the_first_regression_counts_alone() -> None:
    scores = np.linspace(0, 1, 8)
    blind = np.full((3, 8), scores.mean())
    np.testing.assert_allclose(stack(blind, scores), [1, 0, 0], atol=1e-6)
    assert stack(blind[:1], scores).tolist() == [1]
    assert stack(np.full((2, 8), 0.5), np.full(8, 0.5)) == pytest.approx([1, 0], abs=1e-6)


def test_many_labels_find_the_regressions_that_predict() -> None:
    draw = np.random.default_rng(0)
    scores = draw.normal(size=4000)
    errors = draw.normal(size=(3, 4000)) * np.array([[3.0], [1.0], [1.0]])
    shares = stack(scores + errors, scores)
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= 0
    assert shares == pytest.approx([1 / 19, 9 / 19, 9 / 19], abs=0.04)  # by the inverse of each error's variance


def test_twice_as_many_labels_as_trust_halve_it() -> None:
    scores = np.resize([4.0, 6.0], 2 * int(TRUST))
    blind = np.full(len(scores), 5.0)
    assert stack(np.stack([blind, scores]), scores) == pytest.approx([0.5, 0.5], abs=1e-3)
