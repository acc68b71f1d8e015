import numpy as np
import pytest
from scipy import stats

from study.reports.conclusions import compare


def test_a_difference_is_claimed_with_its_size_and_probability() -> None:
    b = np.linspace(0.5, 0.6, 8)
    a = b + np.linspace(0.02, 0.04, 8)
    p = stats.wilcoxon(a, b).pvalue
    assert compare(a, b, "full", "ridge", "SRCC") == (
        f"SRCC of full is higher than that of ridge (median difference +0.030, p = {p:.2g}, n = 8 pairs)."
    )


def test_swapping_the_two_swaps_higher_and_lower() -> None:
    b = np.linspace(0.5, 0.6, 8)
    a = b + np.linspace(0.02, 0.04, 8)
    assert "of b is lower than that of a (median difference -0.030" in compare(b, a, "b", "a", "SRCC")


def test_noise_is_not_claimed() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, 20))
    sentence = compare(a, b, "a", "b", "PLCC")
    assert stats.wilcoxon(a, b).pvalue > 0.05
    assert sentence.startswith("PLCC: no difference between a and b can be claimed (")
    assert "cannot reach" not in sentence


@pytest.mark.parametrize(("n", "least"), [(2, "0.5"), (5, "0.062")])
def test_too_few_pairs_are_said_to_be_too_few(n: int, least: str) -> None:
    sentence = compare(np.arange(n) + 1.0, np.zeros(n), "a", "b", "SRCC")
    assert "no difference" in sentence
    assert f"{n} differing pairs cannot reach p < 0.05, as the least possible p is {least}" in sentence


def test_six_pairs_that_agree_are_enough() -> None:
    assert "is higher" in compare(np.arange(6) + 1.0, np.zeros(6), "a", "b", "SRCC")


def test_ties_do_not_count_as_pairs() -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0])
    assert "4 differing pairs cannot reach" in compare(a, np.zeros(7), "a", "b", "SRCC")


def test_equal_values_are_equal() -> None:
    assert compare(np.ones(3), np.ones(3), "a", "b", "SRCC") == "SRCC: a and b are equal in all 3 pairs."


@pytest.mark.parametrize(
    ("a", "b", "message"), [([1.0], [1.0, 2.0], "paired"), ([], [], "paired"), ([np.nan], [1.0], "finite")]
)
def test_what_cannot_be_compared_is_refused(a: list[float], b: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(np.array(a), np.array(b), "a", "b", "SRCC")
