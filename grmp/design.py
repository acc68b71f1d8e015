"""Which images to label: the design of a regression from few labels (ours)."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

NOISE = 0.1
"""Variance of a label's noise, as a share of the mean variance of the scores a priori (chosen on BIQ2021)."""


def choose(
    read: Float[np.ndarray, "n block e"],
    roots: Float[np.ndarray, "block e e"] | None,
    count: int,
    known: Iterable[int] = (),
) -> list[int]:
    """Indices of `count` images, the first the most telling; those of `known` have labels already.

    Each is the one whose score is the least certain, given labels of those before it: the greedy D-optimal design of
    the probe's regressions, with the prior whose `roots` are given. The scores' covariance is the blocks' mean.

    >>> choose(np.array([[[0.0]], [[0.1]], [[3.0]], [[-1.0]]]), None, 2)
    [2, 3]
    """
    mapped = read.swapaxes(0, 1) if roots is None else read.swapaxes(0, 1) @ roots
    mapped = mapped - mapped.mean(axis=1, keepdims=True)
    rows = np.concatenate(mapped, axis=1)
    left = np.square(rows).sum(axis=1)
    noise, order, parts = NOISE * left.mean(), list(known), np.zeros((len(rows), 0))
    before = len(order)
    for place in range(before + count):
        if place == len(order):
            order.append(int(np.where(np.isin(range(len(rows)), order), -np.inf, left).argmax()))
        at = order[place]
        part = (rows @ rows[at] - parts @ parts[at]) / np.sqrt(left[at] + noise)  # a column of Cholesky's root
        parts, left = np.column_stack([parts, part]), left - part**2
    return order[before:]
