import warnings

import numpy as np
import pytest
from scipy import stats

from grmp.errors import UserError
from grmp.metrics import ConstantPredictionsWarning, all_metrics, fit_logistic, krcc, plcc, rmse, srcc


def scores(seed: int, count: int = 50, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    true = random.random(count)
    return true + noise * random.normal(size=count), true


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlations_are_scipys(seed: int) -> None:
    predicted, true = scores(seed)
    assert srcc(predicted, true) == pytest.approx(stats.spearmanr(predicted, true)[0])
    assert krcc(predicted, true) == pytest.approx(stats.kendalltau(predicted, true)[0])


def test_known_values_with_ties() -> None:
    predicted, true = np.array([1.0, 2.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert srcc(predicted, true) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)  # Pearson's of the ranks 1, 2.5, 2.5, 4
    assert krcc(predicted, true) == pytest.approx(5 / (5 * 6) ** 0.5)  # tau-b: 5 of 6 pairs agree, one is tied


@pytest.mark.parametrize("metric", [srcc, krcc])
def test_only_the_order_counts(metric) -> None:
    predicted, true = scores(0)
    assert metric(np.exp(5 * predicted), true) == pytest.approx(metric(predicted, true))
    assert metric(-predicted, true) == pytest.approx(-metric(predicted, true))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_the_logistic_recovers_a_curved_monotone_relation(seed: int, scale: float) -> None:
    predicted = np.random.default_rng(seed).uniform(-4, 4, 80)
    true = 20 + 60 / (1 + np.exp(-2 * (predicted - 0.5)))
    assert plcc(scale * predicted, true) > 0.99
    assert rmse(scale * predicted, true) < 0.1
    assert stats.pearsonr(predicted, true)[0] < 0.97  # a straight line is not enough here


def test_the_logistic_never_turns_the_order_round_within_itself() -> None:
    predicted, true = scores(1, noise=1.0)
    fitted = fit_logistic(predicted, true)[np.argsort(predicted)]
    steps = np.diff(fitted)
    assert (steps >= -1e-12).all() or (steps <= 1e-12).all()


def test_a_falling_relation_is_mapped_to_a_rising_one() -> None:
    predicted, true = scores(2, noise=0.05)
    assert plcc(-predicted, true) == pytest.approx(plcc(predicted, true), abs=1e-3)
    assert srcc(-predicted, true) < -0.9


@pytest.mark.parametrize("seed", range(20))
def test_the_fit_is_at_least_as_good_as_the_mean(seed: int) -> None:
    predicted, true = scores(seed, count=30, noise=5.0)
    assert rmse(predicted, true) <= np.std(true) + 1e-6


@pytest.mark.parametrize("count", [2, 3])
def test_few_points_get_a_straight_line(count: int) -> None:
    true = np.array([0.1, 0.4, 0.9])[:count]
    assert plcc(2 * true + 1, true) == pytest.approx(1)
    assert rmse(2 * true + 1, true) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("metric", [srcc, krcc, plcc])
@pytest.mark.parametrize("side", [0, 1])
def test_constants_warn_and_give_zero(metric, side: int) -> None:
    given = list(scores(0))
    given[side] = np.full(50, 0.4)
    with pytest.warns(ConstantPredictionsWarning, match="all equal"):
        assert metric(*given) == 0


def test_scores_that_differ_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all_metrics(*scores(0))["srcc"] > 0


def test_the_error_of_constant_predictions_is_the_spread_of_the_scores() -> None:
    true = scores(0)[1]
    assert rmse(np.full(50, 0.4), true) == pytest.approx(np.std(true))


@pytest.mark.filterwarnings("ignore::grmp.metrics.ConstantPredictionsWarning")
def test_constant_scores_still_give_numbers() -> None:
    found = all_metrics(scores(0)[0], np.full(50, 0.4))
    assert found == {"srcc": 0.0, "plcc": 0.0, "krcc": 0.0, "rmse": pytest.approx(0, abs=1e-4)}


def test_what_is_written_has_four_decimals() -> None:
    predicted, true = scores(3)
    found = all_metrics(predicted, true)
    assert list(found) == ["srcc", "plcc", "krcc", "rmse"]
    assert found["srcc"] == round(srcc(predicted, true), 4)
    assert found["rmse"] == round(rmse(predicted, true), 4)


def test_predictions_in_float32_are_fine() -> None:
    predicted, true = (value.astype(np.float32) for value in scores(4))
    assert plcc(predicted, true) == pytest.approx(plcc(predicted.astype(float), true.astype(float)), abs=1e-4)


ALL = pytest.mark.parametrize("metric", [srcc, krcc, plcc, rmse])


@ALL
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_and_not_averaged(metric, side: int, wrong: float) -> None:
    given = list(scores(0))
    given[side][[3, 7]] = wrong
    name = ("predictions", "scores")[side]
    with pytest.raises(UserError, match=f"{name}: 2 of 50 are not finite"):
        metric(*given)


@ALL
def test_nothing_to_compare_is_said(metric) -> None:
    with pytest.raises(UserError, match="there are none to compare"):
        metric(np.array([]), np.array([]))


@pytest.mark.filterwarnings("ignore::grmp.metrics.ConstantPredictionsWarning")
def test_a_single_image_has_no_correlation() -> None:
    assert all_metrics(np.array([0.3]), np.array([0.5])) == {"srcc": 0.0, "plcc": 0.0, "krcc": 0.0, "rmse": 0.0}


@pytest.mark.parametrize("swap", [1, -1])
def test_two_images_stand_in_one_order_or_the_other(swap: int) -> None:
    found = all_metrics(np.array([0.2, 0.7])[::swap], np.array([0.1, 0.9]))
    assert found == {"srcc": swap, "plcc": 1, "krcc": swap, "rmse": 0}


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_numbers_of_any_size_give_numbers(scale: float) -> None:
    predicted, true = scores(0)
    assert plcc(predicted * scale, true) == pytest.approx(plcc(predicted, true), abs=1e-6)
    assert srcc(predicted * scale, true) == srcc(predicted, true)


def test_predictions_that_differ_by_rounding_alone_have_no_linear_correlation() -> None:
    true = scores(0)[1]
    predicted = np.where(true > 0.5, 1.0, np.nextafter(1.0, 2.0))
    with pytest.warns(ConstantPredictionsWarning):
        assert plcc(predicted, true) == 0
    assert rmse(predicted, true) == pytest.approx(np.std(true))


def test_a_relation_without_any_slope_is_no_nan() -> None:
    predicted, true = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 1.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert all(map(np.isfinite, all_metrics(predicted, true).values()))


@pytest.mark.parametrize("seed", range(5))
def test_a_few_distinct_labels_are_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    predicted, true = random.integers(0, 2, 12) * 1.0, random.integers(0, 3, 12) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert all(map(np.isfinite, all_metrics(predicted, true).values()))
