"""What README and docs/results.md say of the committed runs, computed from the tables below reports/."""

from typing import NamedTuple

import pandas as pd

from study.reports.comparisons import differences, paired_test
from study.reports.intervals import median_interval
from study.reports.looks import title, variants_in

LIVEC_RATIO = 212.5 / 929
"""Test images, on average, by the other images of LIVEC's ten splits, which share images with one another: the 116 on
which settings were chosen test in none."""
BIQ2021_RATIO = 0.25
"""The same of BIQ2021's random splits, whose test parts are a fifth."""


class Difference(NamedTuple):
    """A mean paired difference of SRCC and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """In words, which claim nothing where the interval holds zero."""
        text = f"{self.mean:+.3f} (95 % interval {self.low:+.3f} to {self.high:+.3f})"
        return text if self.low > 0 or self.high < 0 else f"{text}: no difference can be claimed"

    def short(self) -> str:
        """The numbers alone, for where it is said what the brackets hold."""
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def tested(values: pd.Series, test_ratio: float) -> Difference:
    """The mean of one paired difference per repeat, with the interval of `study.reports.comparisons.paired_test`."""
    test = paired_test(values.to_numpy(), test_ratio)
    return Difference(test["difference"], test["low"], test["high"])


def paired(runs: pd.DataFrame, a: str, b: str, test_ratio: float = 0.0, count: int | None = None) -> Difference:
    """SRCC of variant `a` minus that of `b`, by repeat: the mean over `count` labels, or over all numbers of labels.

    A repeat is one value, and the interval is that of `study.reports.comparisons.paired_test`.

    Args:
        runs: columns variant, count, repeat, srcc.
        a: a variant.
        b: another.
        test_ratio: test images by other images, of repeats that are splits of one set; 0 for one test part.
        count: a number of labels.
    """
    by_count = differences(runs if count is None else runs[runs["count"] == count], a, b)
    return tested(by_count.mean(axis=1), test_ratio)


def optimism(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean over repeats of best less last SRCC of the fine-tuned variants: a row per variant, a column per count."""
    tuned = runs[~runs["variant"].isin(["ridge", "probe"])]
    return (tuned["srcc_best"] - tuned["srcc"]).groupby([tuned["variant"], tuned["count"]]).mean().unstack()


def medians(runs: pd.DataFrame) -> pd.DataFrame:
    """Median SRCC over the splits with its interval by order statistics: a row per variant, a column per count."""

    def cell(values: pd.Series) -> str:
        middle, low, high = median_interval(values)
        return f"{middle:.3f} ({low:.3f} to {high:.3f})"

    return _wide(runs, cell)


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean SRCC over the draws: a row per variant, a column per count."""
    return _wide(runs, lambda values: f"{values.mean():.3f}")


def _wide(runs: pd.DataFrame, cell: object) -> pd.DataFrame:
    table = runs.groupby(["variant", "count"])["srcc"].agg(cell).unstack()
    table = table.loc[variants_in(table.index)].rename(index=title, columns=lambda count: f"{count} labels")
    return table.rename_axis(index="variant", columns=None).reset_index()
