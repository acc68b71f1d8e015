"""The page that links every report: a picture and the headline numbers of each, read from what the reports left."""

import base64
import html
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from grmp.errors import UserError
from grmp.io.files import write_whole
from study import params
from study.command import run_command
from study.reports.index_style import CARD, INDEX, STYLE
from study.reports.looks import LOOKS
from study.reports.thumbnails import data_uri, top
from study.running.page_style import STYLE as PAGE_STYLE

WIDTH, HEIGHT = 560, 352  # pixels of a thumbnail
_FIGURE = re.compile(r'src="data:image/(?:png|jpeg);base64,([^"]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", flags=re.DOTALL)
_MADE_BY = re.compile(r">backbone</td>\s*<td[^>]*>(?!none)(.*?)</td>", flags=re.DOTALL)

Numbers = dict[str, str]
Tree = dict[str, dict[str, dict[str, float]]]
"""What `dvc metrics` reads: variant, number of labels, metric."""


@dataclass(frozen=True)
class Report:
    """A report's page below the folder of reports, and where its headline numbers come from."""

    page: str
    about: str
    numbers: Callable[[Path], Numbers]


def reports(folder: Path, labels: int) -> list[Report]:
    """The reports of the study, the result first; one on LIVEC too, where there is one.

    Args:
        folder: where the reports are.
        labels: labelled images of the cell that `03_finetune` shows.
    """
    known = [
        Report("04_ablation.html", "The result: figures, intervals, tests, optimism, conclusions.", _ablation),
        Report("livec/report.html", "The same method on photographs that people have rated.", _livec),
        Report("00_backbone.html", "Which CLIP, and whether it knows scenes it has not seen.", _backbone),
        Report("01_distort.html", "25 distortions at five levels, their agreement with raters, the labels.", _distort),
        Report("02_pretrain.html", "Prompts meta-trained over distortions, before any label is seen.", _pretrain),
        Report("03_finetune.html", "One cell of the grid from near: training, angles, predictions.", _cell(labels)),
    ]
    return [report for report in known if not report.page.startswith("livec/") or (folder / report.page).is_file()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise UserError(f"{path}: is not there; `dvc repro` makes it") from None


def _numbers(path: Path) -> dict:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}); `dvc repro --force` makes it anew") from None


def _backbone(folder: Path) -> Numbers:
    rows = _numbers(folder / "backbone.json")
    shown = {
        "text tower": "text tower, held-out photographs",
        "nearest mean, the ceiling": "nearest mean, held-out photographs",
    }
    return {f"scenes named, {name}": f"{rows[key]['balanced accuracy']:.2f}" for name, key in shown.items()}


def _distort(folder: Path) -> Numbers:
    rows = _numbers(folder / "distort.json")
    shown = {"125 cells": "srcc_cells", "each type left out": "srcc_leave_one_type_out"}
    return {f"SRCC with raters, {name}": f"{rows[key]:.3f}" for name, key in shown.items()}


def _pretrain(folder: Path) -> Numbers:
    rows = _numbers(folder / "pretrain.json")
    return {f"query SRCC, {when}": f"{rows[f'query_srcc_{when}']:.3f}" for when in ("before", "after")}


def _cell(labels: int) -> Callable[[Path], Numbers]:
    def numbers(folder: Path) -> Numbers:
        scores = _numbers(folder / "metrics.json").get("full", {}).get(str(labels), {})
        return {
            f"{name.upper()}, {labels} labels": f"{scores[name]:.3f}" for name in ("srcc", "plcc") if name in scores
        }

    return numbers


def _ablation(folder: Path) -> Numbers:
    return _by_variant(_numbers(folder / "metrics.json"))


def _by_variant(tree: Tree) -> Numbers:
    count = max((int(count) for counts in tree.values() for count in counts), default=0)
    return {
        f"SRCC, {count} labels, {LOOKS[variant].title if variant in LOOKS else variant}": f"{scores['srcc']:.3f}"
        for variant, counts in tree.items()
        if "srcc" in (scores := counts.get(str(count), {}))
    }


def _livec(folder: Path) -> Numbers:
    return _by_variant(_numbers(folder / "livec/metrics.json"))


def picture(page: str) -> str:
    """The first figure of a report's page as a small JPEG's data URI; empty where it has none."""
    found = _FIGURE.search(page)
    if not found:
        return ""
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as figure:
        return data_uri(top(figure, WIDTH, HEIGHT))


def card(report: Report, folder: Path) -> str:
    """One report as HTML: picture, title, what it is about, headline numbers, and which CLIP made them."""
    page = _read(folder / report.page)
    title, made_by = (found[1] if (found := pattern.search(page)) else "" for pattern in (_TITLE, _MADE_BY))
    rows = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(v)}</dd>" for n, v in report.numbers(folder).items())
    shown = f'<img src="{source}" alt="" width="{WIDTH}" height="{HEIGHT}">' if (source := picture(page)) else ""
    about = html.escape(report.about)
    return CARD.format(page=report.page, title=title, about=about, numbers=rows, picture=shown, backbone=made_by)


def index(folder: Path, labels: int) -> str:
    """The whole page: nothing in it is fetched, and equal reports give equal bytes.

    Raises:
        UserError: a report or its numbers are missing.
    """
    cards = [card(report, folder) for report in reports(folder, labels)]
    return INDEX.format(style=PAGE_STYLE + STYLE, cards="\n".join(cards))


def main(folder: Annotated[Path, typer.Argument()] = Path("reports")) -> None:
    """Write index.html into the folder of reports."""
    settings = params.load()
    labels = params.label_count(settings.sweep.labels, settings.distort.train_images)
    write_whole(folder / "index.html", index(folder, labels))


if __name__ == "__main__":
    run_command(main)
