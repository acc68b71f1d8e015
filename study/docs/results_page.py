"""The tables of docs/results.md, from the committed runs."""

from pathlib import Path

import pandas as pd
from scipy import stats

from grmp.io.table import read_csv
from study.docs.evidence import BIQ2021_RATIO, LIVEC_RATIO, means, medians, optimism, paired, tested
from study.docs.readme import Blocks
from study.docs.rounding import rounding_table
from study.reports.intervals import median_interval
from study.reports.looks import title
from study.reports.markdown import copy_table
from study.reports.published import published
from study.reports.replicated import replication_table
from study.reports.simple import simple_table, unlabelled_finding

COMPARED = (
    ("full", "without_mpp"),
    ("full", "without_qgr"),
    ("full_probe", "full"),
    ("full_probe", "probe"),
    ("probe", "full"),
    ("probe", "ridge"),
)
"""Pairs of variants; the first two are what the paper's two ideas add."""
COUNTS = [50, 100, 200]


def _human(reports: Path) -> pd.DataFrame:
    return read_csv(reports / "livec/runs.csv")


def _generated(reports: Path) -> pd.DataFrame:
    return read_csv(reports / "ablation.csv")


def differences(runs: pd.DataFrame, test_ratio: float) -> pd.DataFrame:
    """A row per pair of variants: the mean paired difference at every count, and over all of them with its interval."""
    rows = []
    for a, b in COMPARED:
        at = {f"{count} labels": paired(runs, a, b, test_ratio, count).mean for count in sorted(runs["count"].unique())}
        interval = paired(runs, a, b, test_ratio).short()
        rows.append(
            {"difference": f"{title(a)} − {title(b)}", **{n: f"{v:+.3f}" for n, v in at.items()}, "all": interval}
        )
    return pd.DataFrame(rows)


def p_values(runs: pd.DataFrame) -> pd.DataFrame:
    """Two-sided p of Wilcoxon's signed-rank test, a row per pair of variants and a column per count."""
    rows = []
    for a, b in COMPARED:
        row = {"difference": f"{title(a)} − {title(b)}"}
        for count, some in runs.groupby("count"):
            by_variant = some.pivot(index="repeat", columns="variant", values="srcc")
            row[f"{count} labels"] = f"{stats.wilcoxon(by_variant[a] - by_variant[b]).pvalue:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def tests(reports: Path) -> str:
    """How many tests there are, and the least p that each can give."""
    human = _human(reports)
    repeats, count = human["repeat"].nunique(), len(COMPARED) * human["count"].nunique()
    choices = len(read_csv(reports / "livec/choices.csv"))
    return (
        f"With {repeats} pairs the least possible two-sided p is 2 / 2^{repeats} = {2 / 2**repeats:.3f}. The table "
        f"above holds {count} tests, and the single choices below {choices} more: at a level of 5 % about "
        f"{0.05 * (count + choices):.0f} of {count + choices} come out below it by chance alone. None is corrected for "
        "their number."
    )


def looks(reports: Path) -> str:
    """What picking the best of the evaluated steps on the test part adds: a row per variant."""
    table = optimism(_human(reports)).rename(index=title, columns=lambda count: f"{count} labels")
    return copy_table(table.rename_axis(index="variant", columns=None).reset_index(), digits=4)


def choices(reports: Path) -> str:
    """Single settings against the study's own, the most harmful first."""
    table = read_csv(reports / "livec/choices.csv")
    interval = [f"{row.low:+.3f} to {row.high:+.3f}" for row in table.itertuples()]
    told = table.assign(difference=table["difference"].map("{:+.3f}".format), interval=interval)
    return copy_table(told[["changes", "srcc", "difference", "interval", "p"]].rename(columns={"srcc": "median SRCC"}))


def pretrainings(reports: Path) -> str:
    """What every idea adds over several pre-trainings."""
    table = replication_table(read_csv(reports / "livec/components.csv"))
    return copy_table(table.rename(columns=lambda name: name.replace("sd ", "standard deviation ")))


def simple(reports: Path) -> str:
    """Simple rows on the same splits and labels, and what no label gives."""
    rows = read_csv(reports / "livec/simple.csv")
    table = simple_table(rows, lambda values: "{:.3f} ({:.3f} to {:.3f})".format(*median_interval(values)))
    return f"{copy_table(table)}\n\n{unlabelled_finding(rows)}"


def strengths(reports: Path) -> str:
    """Mean SRCC at every strength of the projection, on both targets, and how the published one compares with ours."""
    swept = {"generated": read_csv(reports / "lambda.csv"), "LIVEC": read_csv(reports / "livec/lambda.csv")}
    found = pd.DataFrame({name: some.groupby("strength")["srcc"].mean() for name, some in swept.items()})
    by_strength = swept["LIVEC"].pivot(index="repeat", columns="strength", values="srcc")
    gained = tested(by_strength[5.0] - by_strength[1.0], LIVEC_RATIO)
    table = copy_table(found.rename_axis("lambda").reset_index())
    return f"{table}\n\nOn LIVEC, one pre-training, 5 (the published code's) less 1 (orthogonal): {gained}."


def others(_reports: Path) -> str:
    """What others report on LIVEC."""
    return copy_table(
        published("LIVEC", COUNTS)
        .pivot(index=["method", "source", "protocol"], columns="count", values="srcc")
        .map("{:.3f}".format, na_action="ignore")
        .fillna("")
        .reset_index()
    )


BLOCKS: Blocks = {
    "livec_medians": lambda reports: copy_table(medians(_human(reports))),
    "livec_differences": lambda reports: copy_table(differences(_human(reports), LIVEC_RATIO)),
    "livec_p": lambda reports: copy_table(p_values(_human(reports))),
    "livec_tests": tests,
    "livec_optimism": looks,
    "livec_choices": choices,
    "livec_pretrainings": pretrainings,
    "livec_simple": simple,
    "biq2021_medians": lambda reports: copy_table(medians(read_csv(reports / "biq2021/runs.csv"))),
    "biq2021_differences": lambda reports: copy_table(
        differences(read_csv(reports / "biq2021/runs.csv"), BIQ2021_RATIO)
    ),
    "generated_means": lambda reports: copy_table(means(_generated(reports))),
    "generated_differences": lambda reports: copy_table(differences(_generated(reports), 0.0)),
    "rounding": lambda reports: copy_table(rounding_table(read_csv(reports / "rounding.csv"))),
    "strengths": strengths,
    "published": others,
}
"""What stands between `<!-- generated: NAME -->` and `<!-- end -->`."""
