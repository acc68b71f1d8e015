"""Which images a design picks: by hand on a line, and against the covariance written out."""

import numpy as np
import pytest

from grmp.design import NOISE, choose


def test_far_directions_come_first_and_copies_last() -> None:
    read = np.array([[5.0, 0.0], [-5.0, 0.1], [0.0, 3.0], [0.0, -3.0], [5.0, 0.0]])[:, None]
    found = choose(read, None, 5)
    assert set(found[:2]) & {0, 1, 4}
    assert set(found[:2]) & {2, 3}
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert {0, 4} - set(found[:4])


@pytest.mark.parametrize("known", [[], [4, 11]])
def test_each_is_the_least_certain_given_those_before_it(known: list[int]) -> None:
    draws = np.random.default_rng(3)
    read, roots = draws.normal(size=(20, 2, 5)), draws.normal(size=(2, 5, 5))
    mapped = np.concatenate([(read[:, block] - read[:, block].mean(axis=0)) @ roots[block] for block in (0, 1)], axis=1)
    covariance = mapped @ mapped.T
    noise = NOISE * np.trace(covariance) / 20
    given = list(known)
    for found in choose(read, roots, 6, known):
        cross = covariance[given]
        inside = covariance[np.ix_(given, given)] + noise * np.eye(len(given))
        variance = np.diag(covariance - cross.T @ np.linalg.solve(inside, cross)).copy()
        variance[given] = -np.inf
        assert found == variance.argmax()
        given.append(found)


def test_known_images_are_never_named() -> None:
    assert set(choose(np.random.default_rng(0).normal(size=(6, 1, 2)), None, 4, known=[0, 3])) == {1, 2, 4, 5}
