"""README's numbers, written between its HTML comments from the tables below reports/.

Words stand around these numbers: whoever renews the tables reads the sentences again.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from grmp.errors import UserError
from grmp.io.table import read_csv
from study.docs.evidence import BIQ2021_RATIO, LIVEC_RATIO, Difference, means, medians, optimism, paired, tested
from study.docs.rounding import effects
from study.reports.intervals import median_interval, median_level
from study.reports.looks import title
from study.reports.markdown import copy_table
from study.reports.published import LIVEC

REPORTS = Path("reports")
SHOWN = ("full", "without_mpp", "without_qgr", "without_both", "ridge", "probe", "full_probe")
"""Variants in README's tables."""
MPP = ("full", "without_mpp")
QGR = ("full", "without_qgr")
PROBE = ("full_probe", "probe")
ESTIMATE = ["difference", "low", "high"]
"""Columns of a table of differences, as `Difference` takes them."""
Blocks = Mapping[str, Callable[[Path], str]]
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def filled(path: Path, blocks: Blocks, reports: Path = REPORTS) -> str:
    """The page at `path` with its generated blocks made anew from the tables in the folder `reports`.

    Raises:
        UserError: a block of an unknown name.
    """

    def fill(found: re.Match[str]) -> str:
        if found[2] not in blocks:
            raise UserError(f"{path}: generated: {found[2]} is not known (known: {', '.join(blocks)})")
        return f"{found[1]}{blocks[found[2]](reports)}\n{found[3]}"

    return _BLOCK.sub(fill, path.read_text(encoding="utf-8"))


def human_runs(reports: Path) -> pd.DataFrame:
    """The runs of `SHOWN` on LIVEC."""
    runs = read_csv(reports / "livec/runs.csv")
    return runs[runs["variant"].isin(SHOWN)]


def generated_runs(reports: Path) -> pd.DataFrame:
    """The runs of `SHOWN` on the generated target."""
    runs = read_csv(reports / "ablation.csv")
    return runs[runs["variant"].isin(SHOWN)]


def answer(reports: Path) -> str:
    """The study's answer, with 50 labels of LIVEC."""
    runs = human_runs(reports)
    level = median_level(runs["repeat"].nunique())
    theirs = ", ".join(f"{one.method} {one.srcc[50]:.3f}" for one in LIVEC[-3:])
    lines = [
        f"Median SRCC on LIVEC with 50 labels, ten published splits (nominal {100 * level:.1f} % intervals):",
        "",
        f"- with both ideas of the method (*{title('full')}*): {_median(runs, 'full')};",
        f"- without either, by regressions on blocks 4 to 11 of the untouched CLIP: {_median(runs, 'probe')};",
        f"- with both ideas, such a probe, and a learned prior for it (ours): {_median(runs, 'full_probe')};",
        f"- as published elsewhere, with other backbones, sizes and protocols: {theirs}.",
        "",
        f"Averaged over {_listed(runs)} labels, MPP adds {paired(runs, *MPP, LIVEC_RATIO)} "
        f"and QGR {paired(runs, *QGR, LIVEC_RATIO)}; both intervals are of one pre-training. {replicated(reports)}",
    ]
    return "\n".join(lines)


def replicated(reports: Path) -> str:
    """What both ideas add over several pre-trainings, and the means behind each: the tables show the first."""
    runs = read_csv(reports / "livec/replication.csv")
    means = runs.groupby(["variant", "draw"])["srcc"].mean()
    each = ", ".join(f"{mean:.3f}" for mean in means["full"])
    held = read_csv(reports / "livec/components.csv").set_index("idea")
    told = " and ".join(
        f"{idea} {Difference(*row).short()}" for idea, row in held.loc[["MPP", "QGR"], ESTIMATE].iterrows()
    )
    first = held.iloc[0]
    best = ", the best of them" if means["full"].idxmax() == 1 else ""
    return (
        f"Over {first['draws']} pre-trainings, with {first['count']} labels: {told}. Mean SRCC behind each: "
        f"{each} (full); the tables below show the first{best}."
    )


def expected(reports: Path) -> str:
    """The SRCC that a user with few labels may expect, or with none."""
    runs = human_runs(reports)
    values = [f"{_middle(runs, 'full_probe', count):.3f} with {count}" for count in (10, 50, 200)]
    simple = read_csv(reports / "livec/simple.csv")
    none = median_interval(simple.loc[simple["method"] == "unlabelled", "srcc"])[0]
    return (
        f"Without a label the scorer that `make study` makes has a median SRCC of {none:.3f} on LIVEC. With labels the "
        f"study on human scores has {', '.join(values)}; it uses larger crops, more steps and a longer pre-training "
        "than `grmp fit`, whose own cards tell what it reaches ([human/README.md](human/README.md))."
    )


def findings(reports: Path) -> str:
    """Eight findings, each with one estimate and what limits it."""
    human, generated = human_runs(reports), generated_runs(reports)
    choices = read_csv(reports / "livec/choices.csv").set_index("choice")
    control = {name: Difference(*row).short() for name, row in choices[ESTIMATE].iterrows()}
    development = read_csv(reports / "development.csv").set_index(["option", "labels"])
    options = ("both", "both, prior 10", "both, blocks 4 to 11, prior 10", "stacked")
    scales, of_three, of_eight, stacked = (development.loc[(name, 50)] for name in options)
    picked = _suggested(reports / "livec/suggested.csv", LIVEC_RATIO)
    elsewhere = _suggested(reports / "biq2021/suggested.csv", BIQ2021_RATIO)
    other = read_csv(reports / "biq2021/runs.csv")
    rounded = [added.mean for added in effects(read_csv(reports / "rounding.csv")).values()]
    sentences = {
        "A simple baseline": f"Regressions on the middle blocks against *{title('full')}*, 50 labels: "
        f"{paired(human, 'probe', 'full', LIVEC_RATIO, 50)}; on the generated target, all counts, "
        f"{paired(generated, 'probe', 'full')}.",
        "MPP": f"{paired(human, *MPP, LIVEC_RATIO)}; on BIQ2021 {paired(other, *MPP, BIQ2021_RATIO)}. Part "
        "of that may be the backbone, whose text tower was never trained on words about quality; this is not measured.",
        "QGR": f"{paired(human, *QGR, LIVEC_RATIO)}; on BIQ2021 {paired(other, *QGR, BIQ2021_RATIO)}. On the generated "
        f"target {paired(generated, *QGR)}; rounding alone moves it: {min(rounded):+.3f} to {max(rounded):+.3f} on "
        f"{len(rounded)} kinds of processor. With earlier settings it was positive there.",
        "Prompts, prior and fine-tuning together (ours)": f"Against regressions on the middle blocks "
        f"{paired(human, *PROBE, LIVEC_RATIO)}, of one pre-training; with 10 labels alone "
        f"{paired(human, *PROBE, LIVEC_RATIO, 10)}; on BIQ2021 {paired(other, *PROBE, BIQ2021_RATIO)}.",
        "Controls of QGR (ours)": f"With 50 labels a random direction in the place of the semantic one changes SRCC by "
        f"{control['random_direction']}, a plain gradient as long as the projected one by {control['same_length']}; "
        f"two of {len(choices)} exploratory comparisons.",
        "Two scales, eight blocks (ours)": f"On {int(scales['images'])} images of BIQ2021, where settings are chosen, "
        f"the probe with 50 labels gains {scales['gain']:+.4f} (standard error {scales['gain_error']:.4f}) by a crop "
        "of the image in its own pixels beside those at 256, and by blocks 4 to 11 in the place of 8 to 10 another "
        f"{of_eight['srcc'] - of_three['srcc']:+.4f} (their mean) or {stacked['srcc'] - of_three['srcc']:+.4f} "
        "(stacked, which is better with 10 labels).",
        "Which images to label (ours)": "Labels of the images that `grmp suggest` names, in the place of random ones, "
        f"change the probe's mean SRCC on LIVEC by {picked[10]} with 10 and {picked[50]} with 50, on "
        f"BIQ2021, with the mean of blocks 8 to 10, by {elsewhere[10]} and {elsewhere[50]}.",
        "Selecting on the test part": f"The best of four evaluated steps is {optimism(human).to_numpy().mean():.3f} "
        f"above the last one on average. {protocol(read_csv(reports / 'protocol/results.csv'))}",
    }
    return "\n".join(f"- **{name}.** {text}" for name, text in sentences.items())


def protocol(results: pd.DataFrame) -> str:
    """What the published protocol adds to the honest number of the same runs, over the splits where it was measured."""
    count, splits, looks, ended = results["count"].max(), len(results), results["looks"].max(), results["looks_plateau"]

    def added(column: str) -> str:
        found = results[column] - results["srcc"]
        return f"{found.mean():+.3f} ({found.min():+.3f} to {found.max():+.3f} on {splits} splits)"

    return (
        f"By the published protocol, with {count} labels and one trained block, the best of {looks} looks at the test "
        f"part differs from the last step of the same runs by {added('srcc_best')}; where the test part also sets rate "
        f"and end, which came after {ended.min()} to {ended.max()} looks, the best differs by {added('srcc_plateau')} "
        "([measured](reports/protocol/README.md))."
    )


BLOCKS: Blocks = {
    "answer": answer,
    "expected": expected,
    "livec": lambda reports: copy_table(medians(human_runs(reports).query("labels >= 1"))),
    "generated": lambda reports: copy_table(means(generated_runs(reports))),
    "findings": findings,
}
"""What stands between `<!-- generated: NAME -->` and `<!-- end -->`."""


def _suggested(path: Path, test_ratio: float) -> dict[int, str]:
    """What labels of suggested images change, by their number, with the 95 % interval."""
    table = read_csv(path).pivot(index="repeat", columns=["images", "labels"], values="srcc")
    gains = table["suggested"] - table["random"]
    return {count: tested(gains[count], test_ratio).short() for count in gains}


def _middle(runs: pd.DataFrame, variant: str, count: int) -> float:
    return median_interval(_srcc(runs, variant, count))[0]


def _median(runs: pd.DataFrame, variant: str, count: int = 50) -> str:
    middle, low, high = median_interval(_srcc(runs, variant, count))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def _srcc(runs: pd.DataFrame, variant: str, count: int) -> pd.Series:
    return runs.loc[(runs["variant"] == variant) & (runs["count"] == count), "srcc"]


def _listed(runs: pd.DataFrame) -> str:
    *first, last = sorted(runs["count"].unique())
    return f"{', '.join(map(str, first))} and {last}"
