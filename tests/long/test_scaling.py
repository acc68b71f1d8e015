"""The model behind docs/cluster.md. `pytest -m long -s tests/long/test_scaling.py` measures and prints its rows."""

from collections.abc import Callable

import pandas as pd
import pytest
from scaling_laws import Law, laws, parabola

from study.reports.markdown import copy_table


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


@pytest.mark.long
@pytest.mark.parametrize(("group", "measure"), list(laws()), ids=[group[0].name for group, _ in laws()])
def test_what_is_measured_at_the_largest_size_is_what_the_smaller_ones_predict(
    group: list[Law], measure: Callable
) -> None:
    measured = zip(*measure(group[0].sizes))
    rows = [law.row(list(values)) for law, values in zip(group, measured, strict=True)]
    print(copy_table(pd.DataFrame(rows)))
    for row in rows:
        assert 0.5 < float(row["measured / predicted"]) < 2, row
