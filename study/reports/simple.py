"""The simple rows in the report: their table, and how far they are from the frozen CLIP with ridge."""

from collections.abc import Callable

import pandas as pd

from study.reports.comparisons import differences, paired_test
from study.reports.intervals import median_interval, median_level
from study.reports.looks import title

TITLES = {
    "brisque_ridge": "BRISQUE + ridge",
    "block_ridge": "one block + ridge (block chosen within the labels)",
}
"""How every method of `study.stages.simple` is called."""


def simple_table(simple: pd.DataFrame, cell: Callable[[pd.Series], str]) -> pd.DataFrame:
    """A row per method and a column per number of labels, as tables of ours: `variant`, `10 labels`, ...

    Args:
        simple: columns method, count, srcc.
        cell: writes what stands for the repeats' values.
    """
    labelled = simple[simple["method"].isin(TITLES)]
    table = labelled.groupby(["method", "count"])["srcc"].agg(cell).unstack().fillna("")
    table = table.loc[list(TITLES)].rename(index=TITLES, columns=lambda count: f"{count} labels")
    return table.rename_axis(index="variant", columns=None).reset_index()


def simple_finding(simple: pd.DataFrame, results: pd.DataFrame, ratio: float) -> str:
    """How far the SRCC of each simple row is from that of the frozen CLIP with ridge, on the same labelled images.

    Args:
        simple: columns method, count, repeat, srcc.
        results: columns variant, count, repeat, srcc.
        ratio: images that test to those that train, for the corrected interval.
    """
    if "ridge" not in set(results["variant"]):
        return f"*{title('ridge')}*, which the simple rows are compared with, is not in this grid."
    runs = pd.concat([simple.rename(columns={"method": "variant"}), results])
    tests = {method: paired_test(differences(runs, method, "ridge").mean(axis=1).to_numpy(), ratio) for method in TITLES}
    told = (
        f"*{TITLES[method]}* {one['difference']:+.3f} (95 % interval {one['low']:+.3f} to {one['high']:+.3f})"
        for method, one in tests.items()
    )
    return f"Mean paired differences of SRCC to *{title('ridge')}*, over all numbers of labels: {', '.join(told)}."


def unlabelled_finding(simple: pd.DataFrame) -> str:
    """What the scorer without labels reaches on the test parts: the median over the repeats.

    Args:
        simple: columns method, repeat, srcc; the method `unlabelled`.
    """
    found = simple.loc[simple["method"] == "unlabelled", "srcc"]
    middle, low, high = median_interval(found)
    return (
        f"Without a rated image (ours, as `grmp score` after `make study`) the median SRCC is {middle:.3f} "
        f"({100 * median_level(len(found)):.1f} % interval {low:.3f} to {high:.3f})."
    )
