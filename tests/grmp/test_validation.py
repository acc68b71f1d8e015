"""Cross-validation of the regressions on a user's labels."""

import numpy as np
import pytest

from grmp.metrics import plcc, rmse, srcc
from grmp.prior import Prior
from grmp.probe_fit import prior_roots, regress
from grmp.scoring.validation import DRAWS, FOLDS, REPEATS, Validation, agreement, validate
from study.params import Params

COUNT = 25


@pytest.fixture
def middle() -> np.ndarray:
    found = np.random.default_rng(2).normal(size=(COUNT, 3, 16))
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


@pytest.fixture
def scores(middle: np.ndarray) -> np.ndarray:
    """Half in the embeddings, half noise."""
    noise = np.random.default_rng(3).normal(size=COUNT)
    return 0.5 + 0.1 * (4 * middle[:, 0, 0] + noise / 2)


@pytest.fixture
def found(middle: np.ndarray, scores: np.ndarray) -> Validation:
    return validate(middle, scores, None, 1)


def test_every_image_is_predicted_once_per_repeat_by_regressions_that_had_not_seen_it(
    middle: np.ndarray, scores: np.ndarray, found: Validation
) -> None:
    assert found.predicted.shape == (REPEATS, COUNT)
    assert np.isfinite(found.predicted).all()
    corrupted = scores.copy()
    corrupted[7] = 40
    other = validate(middle, corrupted, None, 1).predicted
    np.testing.assert_allclose(other[:, 7], found.predicted[:, 7])
    assert (np.abs(other - found.predicted) > 1e-6).sum(axis=1).min() >= COUNT * (FOLDS - 1) // FOLDS - 1


def test_with_a_prior_its_roots_are_used(
    middle: np.ndarray, scores: np.ndarray, settings: Params, prior: Prior
) -> None:
    roots = prior_roots(settings.finetune.model_copy(update={"probe_prior": 3.0}), prior)
    found = validate(middle, scores, roots, 1)
    kept = np.arange(COUNT) != 0
    alone, _ = regress(middle[kept], scores[kept], roots).predict(middle)
    assert found.predicted[:, 0].mean() == pytest.approx((alone[0] - alone.mean()) / alone.std(), abs=0.5)
    assert np.ptp(found.predicted - validate(middle, scores, None, 1).predicted) > 1e-3


def test_the_scale_of_the_labels_has_no_effect(
    middle: np.ndarray, scores: np.ndarray, settings: Params, prior: Prior
) -> None:
    for roots in (None, prior_roots(settings.finetune.model_copy(update={"probe_prior": 3.0}), prior)):
        one, other = (validate(middle, y, roots, 1).predicted for y in (scores, 3 * scores - 1))
        np.testing.assert_allclose(other, one, atol=1e-8)


def test_the_figures_are_means_over_repeats_within_their_intervals(found: Validation) -> None:
    untuned = np.linspace(0.2, 0.7, COUNT)
    told = found.held_out(untuned)
    assert (told.images, DRAWS >= 200) == (COUNT, True)
    for metric in (srcc, plcc, rmse):
        value, (low, high) = getattr(told, metric.__name__), told.intervals[metric.__name__]
        assert value == pytest.approx(np.mean([metric(row, found.true) for row in found.predicted]), abs=1e-4)
        assert low < value < high
        assert told.untuned[metric.__name__] == pytest.approx(metric(untuned, found.true), abs=1e-4)
    assert told == found.held_out(untuned)


def test_the_interval_holds_what_many_new_labels_give(middle: np.ndarray) -> None:
    """Of 10 sets of 25 labels, at least 8 have the SRCC of 2,000 images in their interval."""
    draw, held = np.random.default_rng(5), 0
    middle = draw.normal(size=(2000, 1, 4))
    truth = middle[:, 0, 0] + 0.7 * draw.normal(size=2000)
    for seed in range(10):
        at = draw.choice(2000, COUNT, replace=False)
        low, high = validate(middle[at], truth[at], None, seed).held_out(truth[at]).intervals["srcc"]
        predicted, _ = regress(middle[at], truth[at], None).predict(middle)
        held += low <= srcc(predicted, truth) <= high
    assert held >= 8


def test_the_curve_is_what_regressions_on_so_many_labels_give_on_new_images() -> None:
    draw = np.random.default_rng(0)
    middle = draw.normal(size=(2050, 1, 64)) * np.r_[8, np.ones(63)]
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    truth, roots = middle[:, 0, 0] + 0.4 * draw.normal(size=2050), np.eye(64)[None]
    curve = validate(middle[:50], truth[:50], roots, 1).curve
    for count in (10, 20, 40):
        given = [draw.permutation(50)[:count] for _ in range(6)]
        each = [regress(middle[at], truth[at], roots).predict(middle[50:])[0] for at in given]
        assert curve[count] == pytest.approx(np.mean([srcc(one, truth[50:]) for one in each]), abs=0.1)


def test_numbers_of_labels_are_tried_by_doubling(found: Validation) -> None:
    assert [*found.curve] == [10, 20]
    assert found.curve[20] == pytest.approx(np.mean([srcc(row, found.true) for row in found.predicted]), abs=1e-4)


def test_few_labels_are_not_measured(middle: np.ndarray, scores: np.ndarray) -> None:
    assert validate(middle[:9], scores[:9], None, 1) is None
    assert [*validate(middle[:10], scores[:10], None, 1).curve] == [8]


def test_agreement_is_that_of_the_metrics(found: Validation) -> None:
    told = agreement(found.predicted[0], found.true, "by nobody")
    for metric in (srcc, plcc, rmse):
        assert getattr(told, metric.__name__) == pytest.approx(metric(found.predicted[0], found.true), abs=1e-4)
    assert (told.images, told.how, told.untuned) == (COUNT, "by nobody", {})
