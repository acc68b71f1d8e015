"""The grid's runs, read together: the tables behind the ablation's figures."""

import json
from pathlib import Path

import pandas as pd

from grmp.errors import UserError
from grmp.metrics import DECIMALS
from grmp.report import t_interval, title, variants_in

METRICS = ("srcc", "plcc", "krcc", "rmse")


def read_runs(folder: Path, cells: list[str], table: str) -> pd.DataFrame:
    """One table (results, steps or predictions) of the named cells, in their order; nothing else on disk is looked at.

    No cells make an empty table.

    Raises:
        UserError: a cell has not been run.
    """
    frames = []
    for cell in cells:
        path = folder / cell / f"{table}.csv"
        if not path.is_file():
            raise UserError(f"{path}: is not there: cell {cell} has not been run; `dvc repro` runs it")
        frames.append(pd.read_csv(path))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row per variant and number of labels: mean and half the 95 % interval's width of SRCC and PLCC."""
    rows = []
    for variant in variants_in(results["variant"]):
        for count, some in results[results["variant"] == variant].groupby("count"):
            row = {"variant": title(variant), "labels": count}
            for metric in ("srcc", "plcc"):
                mean, half = t_interval(some[metric])
                row[metric.upper()] = f"{mean:.3f} ± {half:.3f}"
            rows.append(row)
    return pd.DataFrame(rows)


def wide_curve(results: pd.DataFrame) -> pd.DataFrame:
    """Mean SRCC by number of labels, one column per variant: what `dvc plots` draws."""
    curve = results.pivot_table(index="count", columns="variant", values="srcc").round(DECIMALS)
    return curve[variants_in(results["variant"])].reset_index()


def metrics_tree(results: pd.DataFrame) -> str:
    """Mean metrics as JSON, variant by number of labels: what `dvc metrics` shows."""
    tree: dict[str, dict[str, dict[str, float]]] = {}
    for (variant, count), some in results.groupby(["variant", "count"], sort=False):
        tree.setdefault(variant, {})[str(count)] = {m: round(float(some[m].mean()), DECIMALS) for m in METRICS}
    return json.dumps(tree, indent=1) + "\n"
