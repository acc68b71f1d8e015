"""What others report with few labels, to stand beside our numbers: each with its protocol, never as if it were ours."""

from dataclasses import dataclass

import pandas as pd

UNIQA = "UniQA (arXiv 2406.01069), data-efficient table"
SECOND_HAND = "as that table reports it; how its models were selected is not known here"
ON_THE_TEST_SET = "best epoch chosen on the test set, as its code does"


@dataclass(frozen=True)
class Reported:
    """Median SRCC on LIVEC by number of labels, as a source prints it."""

    method: str
    srcc: dict[int, float]
    source: str
    protocol: str = SECOND_HAND


LIVEC = (
    Reported("HyperIQA", {50: 0.648, 100: 0.725, 200: 0.790}, UNIQA),
    Reported("TReS", {50: 0.670, 100: 0.751, 200: 0.799}, UNIQA),
    Reported("CLIP, fine-tuned", {50: 0.664, 100: 0.721, 200: 0.733}, UNIQA),
    Reported("DEIQT", {50: 0.667, 100: 0.718, 200: 0.812}, UNIQA),
    Reported("GRepQ", {50: 0.760, 100: 0.791, 200: 0.822}, UNIQA),
    Reported("UniQA", {50: 0.828, 100: 0.849, 200: 0.853}, UNIQA),
    Reported("GRMP-IQA, as published", {50: 0.836}, "arXiv 2409.05381v1, abstract", ON_THE_TEST_SET),
)
"""Published results on LIVEC with 50, 100 and 200 labels, full images and the methods' own backbones."""


def published(title: str, counts: list[int]) -> pd.DataFrame:
    """What is known of the set that reports call `title`, at some of `counts`: method, count, srcc, source, protocol."""
    rows = [
        {"method": entry.method, "count": count, "srcc": value, "source": entry.source, "protocol": entry.protocol}
        for entry in (LIVEC if title == "LIVEC" else ())
        for count, value in entry.srcc.items()
        if count in counts
    ]
    return pd.DataFrame(rows, columns=["method", "count", "srcc", "source", "protocol"])


def published_table(title: str, counts: list[int]) -> pd.DataFrame:
    """A row per method and a column per number of labels, as tables of ours: `variant`, `50 labels`, ..."""
    table = published(title, counts).pivot(index="method", columns="count", values="srcc")
    table = table.map("{:.3f}".format, na_action="ignore")
    names = table.reindex([entry.method for entry in LIVEC if entry.method in table.index]).fillna("")
    names.columns = [f"{count} labels" for count in names.columns]
    return names.rename_axis("variant").reset_index()


def sources(title: str, counts: list[int]) -> str:
    """Where the numbers of `published_table` come from, a line of Markdown per source and protocol."""
    groups = published(title, counts).groupby(["source", "protocol"], sort=False)["method"].unique()
    return "\n".join(f"- {', '.join(methods)}: {source}; {protocol}." for (source, protocol), methods in groups.items())
