"""reports/rounding.csv: runs of the generated study as several kinds of processor have computed them.

They come from git's history. Parameters and photographs must be the same, so that only rounding differs.
"""

import io
import json
import re
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from grmp.errors import UserError
from grmp.io.files import write_whole
from study.command import run_command
from study.compare import committed
from study.docs.evidence import Difference, paired

MADE_BY = ("params.yaml", "data.dvc")
KEY = ["variant", "count", "repeat"]


def show(commit: str, path: str) -> str:
    """A file's text as `commit` has it.

    Raises:
        UserError: there is no such commit, or no such file in it.
    """
    text = committed(path, commit)
    if text is None:
        raise UserError(f"{commit}: has no {path}, or is no commit")
    return text


def stated(notebook: str, name: str) -> str:
    """What the table of provenance at the foot of a report says of `name`.

    Raises:
        UserError: nothing.
    """
    html = "".join(json.loads(notebook)["cells"][-1]["outputs"][0]["data"]["text/html"])
    found = re.search(rf">{name}</td>\s*<td[^>]*>([^<]*)</td>", html)
    if not found:
        raise UserError(f"reports/03_finetune.ipynb: its provenance does not tell the {name}")
    return found[1]


def collect(commits: list[str]) -> pd.DataFrame:
    """The runs that each of `commits` brought: columns commit, processor, precision, variant, count, repeat, srcc.

    Raises:
        UserError: a commit or a report is missing, or their parameters or photographs differ.
    """
    tables = []
    for commit in commits:
        for path in MADE_BY:
            if show(commit, path) != show(commits[0], path):
                raise UserError(f"{commit}: its {path} is not that of {commits[0]}; more than rounding would differ")
        notebook = show(commit, "reports/03_finetune.ipynb")
        runs = pd.read_csv(io.StringIO(show(commit, "reports/ablation.csv")))[[*KEY, "srcc"]]
        runs.insert(0, "precision", stated(notebook, "precision"))
        runs.insert(0, "processor", re.sub(r", \d+ threads$", "", stated(notebook, "device")))
        runs.insert(0, "commit", commit)
        tables.append(runs)
    return pd.concat(tables, ignore_index=True)


def effects(runs: pd.DataFrame) -> dict[tuple[str, str], Difference]:
    """What QGR adds, by processor and precision, over all numbers of labels."""
    groups = runs.groupby(["processor", "precision"], sort=False)
    return {made_by: paired(some, "full", "without_qgr") for made_by, some in groups}


def rounding_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per processor: mean SRCC of `full`, what QGR adds, and how far runs are from those of the first row."""
    rows, first = [], runs[runs["commit"] == runs["commit"].iloc[0]].set_index(KEY)["srcc"]
    for (processor, precision), added in effects(runs).items():
        srcc = runs[(runs["processor"] == processor) & (runs["precision"] == precision)].set_index(KEY)["srcc"]
        means = srcc["full"].groupby("count").mean()
        rows.append(
            {
                "processor": processor,
                "precision": precision,
                **{f"full, {count} labels": f"{mean:.4f}" for count, mean in means.items()},
                "QGR (95 % interval)": f"{added.mean:+.4f} ({added.low:+.4f} to {added.high:+.4f})",
                "largest difference of a run": f"{(srcc - first).abs().max():.4f}",
            }
        )
    return pd.DataFrame(rows)


def main(
    commits: Annotated[list[str], typer.Argument(help="commits that brought reports, each by another processor")],
    out: Annotated[Path, typer.Option(help="the table to write")] = Path("reports/rounding.csv"),
) -> None:
    """Write the runs of the generated study that COMMITS brought to one table."""
    write_whole(out, collect(commits).to_csv(index=False))


if __name__ == "__main__":
    run_command(main)
