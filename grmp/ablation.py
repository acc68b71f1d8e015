"""The grid's runs, read together: the tables behind the ablation's figures."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from grmp.errors import UserError
from grmp.metrics import DECIMALS
from grmp.report import median_interval, t_interval, title, variants_in
from grmp.table import read_csv

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
        frames.append(read_csv(path))
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


def median_summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row per variant and number of labels: medians over the splits, and the interval of SRCC's."""
    rows = []
    for variant in variants_in(results["variant"]):
        for count, some in results[results["variant"] == variant].groupby("count"):
            middle, low, high = median_interval(some["srcc"])
            row = {"variant": title(variant), "labels": count, "SRCC": f"{middle:.3f} ({low:.3f} to {high:.3f})"}
            rows.append(row | {metric.upper(): float(some[metric].median()) for metric in METRICS[1:]})
    return pd.DataFrame(rows)


def wide_curve(results: pd.DataFrame) -> pd.DataFrame:
    """Mean SRCC by number of labels, one column per variant: what `dvc plots` draws."""
    curve = results.pivot_table(index="count", columns="variant", values="srcc").round(DECIMALS)
    return curve[variants_in(results["variant"])].reset_index()


def metrics_tree(results: pd.DataFrame) -> str:
    """Mean metrics as JSON, variant by number of labels: what `dvc metrics` shows."""
    return _tree(results, pd.Series.mean)


def median_tree(results: pd.DataFrame) -> str:
    """The same with medians, as the field reports human-rated sets."""
    return _tree(results, pd.Series.median)


def _tree(results: pd.DataFrame, middle: Callable[[pd.Series], float]) -> str:
    tree: dict[str, dict[str, dict[str, float]]] = {}
    for (variant, count), some in results.groupby(["variant", "count"], sort=False):
        tree.setdefault(variant, {})[str(count)] = {m: round(float(middle(some[m])), DECIMALS) for m in METRICS}
    return json.dumps(tree, indent=1) + "\n"
