"""The grid's runs, read together: the tables behind the ablation's figures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from grmp.errors import UserError
from grmp.io.table import read_csv
from grmp.metrics import DECIMALS
from study.reports.style import median_interval, t_interval, title, variants_in
from study.variants import VARIANTS

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


def grid_cells(grid: dict[str, Any], tuned_only: bool = False) -> list[str]:
    """The folders of the grid's cells below that of the runs, such as `50/full`, variant by variant."""
    variants = [variant for variant in grid["variants"] if VARIANTS[variant].tuned or not tuned_only]
    return [f"{labels}/{variant}" for variant in variants for labels in grid["labels"]]


def sweep_runs(results: pd.DataFrame, folder: Path, sweep: dict[str, Any], strength: float) -> pd.DataFrame:
    """The full variant's results at every strength of the sweep; 0 and the grid's `strength` are the grid's own."""
    at = results["labels"].astype(float) == float(sweep["labels"])
    none = results[at & (results["variant"] == "without_qgr")].assign(strength=0.0)
    full = results[at & (results["variant"] == "full")].assign(strength=strength)
    others = read_runs(folder, [f"{sweep['labels']}/lambda-{value}" for value in sweep["strengths"]], "results")
    return pd.concat([none, full, others]).drop_duplicates(["strength", "repeat"])


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
