"""The page to start from: what the study found, in words and one figure, and what each report shows.

It reads reports/*.json and *.csv alone.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import pandas as pd
import typer
from matplotlib.figure import Figure

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.table import read_csv
from study.command import run_command
from study.reports.comparisons import ALPHA, probability
from study.reports.forest import ideas_plot
from study.reports.frame import filled, read_template, whole_page
from study.reports.looks import LOOKS
from study.reports.style import set_style

TITLE = "grmp: is it the prompts, or the gradients?"
TARGETS = {
    "": "on the generated target",
    "livec": "on people's scores (LIVEC)",
    "biq2021": "on people's scores (BIQ2021)",
}
"""What is said of a target's comparisons, by their folder below the reports."""

Tree = dict[str, dict[str, dict[str, float]]]
"""What `dvc metrics` reads: variant, number of labels, metric."""


@dataclass(frozen=True)
class Report:
    """A report's page below the folder of reports, its title, what it shows, and the numbers beside its link."""

    page: str
    title: str
    about: str
    numbers: Callable[[Path], str]


def _backbone(folder: Path) -> str:
    rows = read_json(folder / "backbone.json")
    text, mean = (rows[f"{name}, held-out photographs"]["balanced accuracy"] for name in ("text tower", "nearest mean"))
    return f"scenes named: balanced accuracy {text:.2f}, of the nearest mean {mean:.2f}"


def _distort(folder: Path) -> str:
    rows = read_json(folder / "distort.json")
    return f"SRCC with raters {rows['srcc_cells']:.3f}, with each type left out {rows['srcc_leave_one_type_out']:.3f}"


def _pretrain(folder: Path) -> str:
    return f"SRCC on query photographs {read_json(folder / 'pretrain.json')['query_srcc']:.3f}"


def _best(folder: Path) -> str:
    tree: Tree = read_json(folder / "metrics.json")
    count = max(int(count) for counts in tree.values() for count in counts)
    scores = {variant: counts[str(count)]["srcc"] for variant, counts in tree.items() if str(count) in counts}
    best = max(scores, key=lambda variant: scores[variant])
    return f"highest SRCC with {count} labels: {scores[best]:.3f}, {LOOKS[best].title}"


def _none(folder: Path) -> str:
    return ""


REPORTS = (
    Report(
        "livec/report.html",
        "People's scores",
        "The variants on photographs that people have rated, beside published results.",
        lambda folder: _best(folder / "livec"),
    ),
    Report(
        "biq2021/report.html",
        "Other people's scores",
        "The same settings on BIQ2021, without the images on which they were chosen.",
        lambda folder: _best(folder / "biq2021"),
    ),
    Report(
        "04_ablation.html",
        "The generated target",
        "What each idea adds under control: curves, paired comparisons, strength of the projection, single images.",
        _best,
    ),
    Report(
        "03_finetune.html",
        "Fine-tuning",
        "All variants of one number of labels beside each other: losses, angles, predictions.",
        _none,
    ),
    Report(
        "02_pretrain.html",
        "Meta-prompt pre-training",
        "Prompts meta-learned over distortions, before any label of the target is seen.",
        _pretrain,
    ),
    Report(
        "01_distort.html",
        "Distorted images and their labels",
        "25 distortions at five levels, the labels, and how well these agree with KADID-10k's raters.",
        _distort,
    ),
    Report(
        "00_backbone.html",
        "The backbone",
        "Which CLIP it is, and whether its text tower knows scenes that it has not seen.",
        _backbone,
    ),
)


def read_json(path: Path) -> dict:
    """A JSON file of the reports.

    Raises:
        UserError: it is not there, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{path}: is not there; `dvc repro` makes it") from None
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}); `dvc repro --force` makes it anew") from None


def read_comparisons(folder: Path) -> dict[str, pd.DataFrame]:
    """The comparisons of every target that has been studied, by what is said of it; those on people may be missing.

    Raises:
        UserError: those on the generated target are missing.
    """
    paths = {words: folder / name / "comparisons.csv" for name, words in TARGETS.items()}
    if not paths[TARGETS[""]].is_file():
        raise UserError(f"{paths[TARGETS['']]}: is not there; `dvc repro` makes it")
    return {words: read_csv(path) for words, path in paths.items() if path.is_file()}


def answer(tables: dict[str, pd.DataFrame]) -> str:
    """Which of the paper's two ideas adds more, in one sentence; empty where a target lacks one of them."""
    ideas = {words: table.dropna(subset="idea").set_index("idea")["difference"] for words, table in tables.items()}
    gains = {words: table.reindex(["MPP", "QGR"]) for words, table in ideas.items()}
    if any(gain.isna().any() for gain in gains.values()):
        return ""
    more = {words: gain.idxmax() for words, gain in gains.items()}
    if len(set(more.values())) > 1:
        return "It depends: " + ", ".join(f"{words} {idea} adds more" for words, idea in more.items()) + "."
    idea, (*first, last) = more.popitem()[1], gains
    where = f"{', '.join(first)} and {last}" if first else last
    return f"The {'prompts' if idea == 'MPP' else 'gradients'}: {idea} adds more {where}."


def findings(tables: dict[str, pd.DataFrame]) -> list[str]:
    """One sentence of HTML per idea: what it adds on every target, and whether that can be claimed."""
    rows = [
        (row.idea, words, row) for words, table in tables.items() for row in table.dropna(subset="idea").itertuples()
    ]
    ideas = list(dict.fromkeys(idea for idea, _, _ in rows))
    return [
        f"<b>{idea}</b>: " + "; ".join(_effect(words, row) for name, words, row in rows if name == idea) + "."
        for idea in ideas
    ]


def _effect(words: str, row: "pd.Series[float]") -> str:
    facts = f"95 % interval {row.low:+.3f} to {row.high:+.3f}, p {probability(row.p)}"
    if pd.isna(row.p):
        return f"{words} {row.difference:+.3f} SRCC in one repeat"
    verdict = "" if row.p < ALPHA else ", no difference can be claimed"
    return f"{words} {row.difference:+.3f} SRCC ({facts}{verdict})"


def svg(figure: Figure) -> str:
    """The figure as an SVG element; equal figures give equal bytes."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "grmp"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _link(report: Report, folder: Path) -> str:
    return filled(
        "link.html", page=report.page, title=report.title, about=report.about, numbers=report.numbers(folder)
    ).strip()


def index(folder: Path) -> str:
    """The whole page: nothing in it is fetched, and equal reports give equal bytes.

    Raises:
        UserError: a report's numbers are missing.
    """
    tables = read_comparisons(folder)
    shown = [report for report in REPORTS if report.page[0] == "0" or (folder / report.page).is_file()]
    body = filled(
        "index.html",
        answer=answer(tables),
        findings="\n".join(f"<li>{sentence}</li>" for sentence in findings(tables)),
        figure=svg(ideas_plot({words.removeprefix("on "): table for words, table in tables.items()})),
        links="\n".join(_link(report, folder) for report in shown),
    )
    return whole_page(TITLE, body, read_template("index.css"))


def main(folder: Annotated[Path, typer.Argument()] = Path("reports")) -> None:
    """Write index.html into the folder of reports."""
    set_style()
    write_whole(folder / "index.html", index(folder))


if __name__ == "__main__":
    run_command(main)
