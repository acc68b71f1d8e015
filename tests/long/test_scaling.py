"""The model behind docs/cluster.md; what it is fitted to is measured by `make scaling`."""

import pytest

from trials.scaling import Law, laws, parabola


def test_a_law_finds_its_constants_again_and_carries_them_on() -> None:
    law = Law("cells", "a + b cells + c cells^2", "s", parabola, ((1,), (2,), (4,), (8,)), (100,))
    values = [3 + 2 * n + 0.5 * n * n for (n,) in law.sizes]
    assert law.fit(values) == pytest.approx([3, 2, 0.5])
    row = law.row(values)
    assert (row["predicted"], row["measured"], row["measured / predicted"]) == ("51 s", "51 s", "1.00")
    assert row["carried to"] == "100: 5.2e+03 s"


def test_every_law_is_checked_beyond_the_sizes_that_it_is_fitted_at() -> None:
    for group, _ in laws():
        for law in group:
            assert len(law.sizes) > len(law.terms(*law.sizes[0]))
            assert all(max(size) < max(law.sizes[-1]) for size in law.sizes[:-1])
