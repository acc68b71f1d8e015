"""Compares numbers made now with the committed ones."""

import json
import re
import subprocess
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from ruamel.yaml import YAML

from grmp.errors import UserError, in_one_line
from grmp.io.table import read_csv
from study.reports.device import processor

METRICS = ("reports/metrics.json", "reports/distort.json", "reports/backbone.json", "reports/pretrain.json")
KEY = ["variant", "labels", "repeat"]
LOCK, GIVEN = "dvc.lock", ("cmd", "deps", "params")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Compare numbers made now with committed ones.")
Tolerance = Annotated[float, typer.Option(help="largest difference that is no failure")]


def drift(before: dict, after: dict) -> pd.Series:
    """Absolute difference of each number of two JSON trees, such as `full.50.srcc`; infinite where only one has it."""
    old, new = (pd.json_normalize(tree).iloc[0].astype(float) for tree in (before, after))
    return old.sub(new).abs().fillna(float("inf"))


def committed(path: str, commit: str = "HEAD") -> str | None:
    """A file's text as a commit has it; None where it has none."""
    done = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


@app.command()
def metrics(tolerance: Tolerance = 0.02) -> None:
    """Compare reports/*.json with what is committed; exit status 1 where a metric differs by more than TOLERANCE."""
    for path in METRICS:
        before = committed(path)
        if before is None:
            typer.echo(f"{path}: not committed yet")
            continue
        differences = drift(json.loads(before), json.loads(Path(path).read_text(encoding="utf-8")))
        worst = differences.idxmax()
        typer.echo(f"{path}: {len(differences)} numbers, largest difference {differences[worst]:.4f} ({worst})")
        if differences[worst] > tolerance:
            raise UserError(f"{path}: {worst} differs by {differences[worst]:.4f} from what is committed")


def compare_runs(again: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """SRCC of the same runs in both tables: columns variant, labels, repeat, committed, again.

    Raises:
        UserError: a column is missing, or a run that is not among the kept ones.
    """
    for name, table in (("now", again), ("as committed", kept)):
        if not {*KEY, "srcc"} <= set(table):
            raise UserError(f"the table of runs {name}: needs the columns {', '.join([*KEY, 'srcc'])}")
    pair = (table[[*KEY, "srcc"]].astype({"labels": float}) for table in (again, kept))  # counts beside fractions
    both = pd.merge(*pair, on=KEY, how="left", suffixes=("_again", "_kept"))
    if both["srcc_kept"].isna().any():
        first = both[both["srcc_kept"].isna()].iloc[0]
        raise UserError(f"{first['variant']} at {first['labels']:g} labels, repeat {first['repeat']}: is not committed")
    return both.rename(columns={"srcc_again": "again", "srcc_kept": "committed"})[[*KEY, "committed", "again"]]


@app.command()
def tree() -> None:
    """After `make study`: exit status 1 where a tracked file changed, on a processor like that of the reports.

    A page whose sources were edited after it was committed may differ: it names a digest of them. So may outputs in
    dvc.lock of stages whose dependencies were edited.
    """
    if processor() not in (committed("reports/03_finetune.ipynb") or ""):
        typer.echo("made on another kind of processor: `metrics` compares the numbers")
        return
    found = subprocess.run(["git", "diff", "--name-only", "HEAD"], capture_output=True, text=True, check=True)
    changed = {path: Path(path).read_text(encoding="utf-8", errors="replace") for path in found.stdout.split()}
    later = [path for path, text in changed.items() if sources(committed(path)) != sources(text)]
    differ = [path for path in changed if path not in [LOCK, *later]]
    if LOCK in changed:
        differ += [f"{LOCK}: {stage}" for stage in moved(committed(LOCK), changed[LOCK])]
    if differ:
        raise UserError(f"made again on the same kind of processor, these differ: {', '.join(differ)}")
    but = f", but for pages of other sources: {', '.join(later)}" if later else ""
    typer.echo(f"the same bytes as committed{but}")


def sources(page: str | None) -> list[str]:
    """The digests of its sources that a page names, one at most."""
    return re.findall(r"sources ([0-9a-f]{12})\b", page or "")


def moved(before: str | None, after: str) -> list[str]:
    """Stages of two dvc.lock files that made other outputs from the same dependencies and parameters."""
    old, new = (YAML(typ="safe").load(lock or "stages: {}")["stages"] for lock in (before, after))
    given = [name for name in old if name in new and all(old[name].get(k) == new[name].get(k) for k in GIVEN)]
    return [name for name in given if old[name]["outs"] != new[name]["outs"]]


@app.command()
def runs(
    again: Annotated[Path, typer.Argument(help="results.csv of the runs made now")],
    kept: Annotated[Path, typer.Argument(help="runs.csv that is committed")],
    tolerance: Tolerance = 0.02,
) -> None:
    """Compare the median SRCC of runs made now with that of the same runs as committed; exit status 1 if it differs."""
    both = compare_runs(read_csv(again), read_csv(kept))
    typer.echo(both.to_string(index=False))
    now, then = both["again"].median(), both["committed"].median()
    typer.echo(f"median of {len(both)} splits: {now:.4f} now, {then:.4f} committed, difference {abs(now - then):.4f}")
    if abs(now - then) > tolerance:
        raise UserError(f"{again}: the median differs by {abs(now - then):.4f} from {kept}")


if __name__ == "__main__":
    with in_one_line():
        app()
