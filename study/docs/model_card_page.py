"""The measured sentences of docs/model_card.md, from the committed runs."""

from pathlib import Path

from grmp.io.table import read_csv
from study.docs.evidence import BIQ2021_RATIO, LIVEC_RATIO
from study.docs.readme import Blocks
from study.reports.findings import suggested_finding
from study.reports.simple import unlabelled_finding

SETS = {"livec": ("LIVEC", LIVEC_RATIO), "biq2021": ("BIQ2021", BIQ2021_RATIO)}
"""Title, and test images by others, of each rated set, by its folder of reports."""


def unlabelled(reports: Path) -> str:
    """What `grmp score` reaches on each set without a label."""
    return "\n".join(
        f"- *{name}*: {unlabelled_finding(read_csv(reports / folder / 'simple.csv'))}"
        for folder, (name, _) in SETS.items()
    )


def suggested(reports: Path) -> str:
    """What suggested images are worth on each set, and how often intervals hold there."""
    return "\n".join(
        f"- *{name}*: {suggested_finding(read_csv(reports / folder / 'suggested.csv'), ratio)}"
        for folder, (name, ratio) in SETS.items()
    )


BLOCKS: Blocks = {"unlabelled": unlabelled, "suggested": suggested}
"""What stands between `<!-- generated: NAME -->` and `<!-- end -->`."""
