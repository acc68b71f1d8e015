"""The grid's runs, read together, and the tables of reports: variants down, numbers of labels across."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from grmp.errors import UserError
from grmp.io.table import read_csv
from grmp.metrics import DECIMALS
from study.reports.intervals import median_interval, t_interval
from study.reports.looks import title, variants_in
from study.variants import VARIANTS

METRICS = ("srcc", "plcc", "krcc", "rmse")


@dataclass(frozen=True)
class Grid:
    """The runs of all cells: a row per variant, number of labels and repeat.

    Args:
        results: scores of the last step, and `srcc_best` of the step that is best on the test part.
        swept: results of the full variant at one number of labels, by `strength` of QGR.
    """

    results: pd.DataFrame
    swept: pd.DataFrame

    def at(self, labels: float) -> pd.DataFrame:
        """The results at one number of labels, as params.yaml writes it."""
        return self.results[self.results["labels"].astype(float) == float(labels)]

    def count(self, labels: float) -> int:
        """How many images that number of labels is."""
        return int(self.at(labels)["count"].iloc[0])


def read_grid(folder: Path, grid: dict[str, Any], sweep: dict[str, Any], strength: float) -> Grid:
    """All runs of the sections `grid` and `sweep` of params.yaml; `strength` is the grid's own, of section `qgr`.

    Raises:
        UserError: a cell has not been run.
    """
    cells = [f"{labels}/{variant}" for variant in grid["variants"] for labels in grid["labels"]]
    results = read_runs(folder, cells, "results")
    return Grid(results, _sweep_runs(results, folder, sweep, strength))


def read_runs(folder: Path, cells: list[str], table: str) -> pd.DataFrame:
    """One table (results, steps or predictions) of the named cells, in their order; nothing else on disk is looked at.

    Args:
        folder: of all runs.
        cells: folders below it, such as `50/full`; none make an empty table.
        table: its name.

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


def read_runtime(folder: Path, labels: float) -> dict[str, str]:
    """`device` and `precision` of the runs at one number of labels, in words.

    Raises:
        UserError: they have not been run.
    """
    path = folder / str(labels) / "runtime.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{path}: is not there; `dvc repro` makes it") from None


def _sweep_runs(results: pd.DataFrame, folder: Path, sweep: dict[str, Any], strength: float) -> pd.DataFrame:
    # 0 and the grid's own strength are cells of the grid.
    at = results["labels"].astype(float) == float(sweep["labels"])
    none = results[at & (results["variant"] == "without_qgr")].assign(strength=0.0)
    full = results[at & (results["variant"] == "full")].assign(strength=strength)
    others = read_runs(folder, [f"{sweep['labels']}/lambda-{value}" for value in sweep["strengths"]], "results")
    return pd.concat([none, full, others]).drop_duplicates(["strength", "repeat"])


def score_table(results: pd.DataFrame, cell: Callable[[pd.Series], str]) -> pd.DataFrame:
    """A row per variant and a column per number of labels; `cell` writes what stands for the repeats' SRCC."""
    table = results.groupby(["variant", "count"])["srcc"].agg(cell).unstack().fillna("")
    table = table.loc[variants_in(table.index)].rename(index=title, columns=lambda count: f"{count} labels")
    return table.rename_axis(index="variant", columns=None).reset_index()


def mean_cell(values: pd.Series) -> str:
    """Mean and half the width of its 95 % interval, such as `0.512 ± 0.031`."""
    mean, half = t_interval(values)
    return f"{mean:.3f} ± {half:.3f}"


def median_cell(values: pd.Series) -> str:
    """Median and the ends of its interval by order statistics, such as `0.512` above `0.481–0.540`."""
    middle, low, high = median_interval(values)
    return f"{middle:.3f}<br>{low:.3f}–{high:.3f}"


def label_name(labels: float, count: int) -> str:
    """A number of labels as params.yaml writes it: `50`, or `0.2 = 80` for a fraction with the count it means."""
    return f"{labels:g} = {count}" if 0 < labels < 1 else f"{count}"


def variant_table(results: pd.DataFrame) -> pd.DataFrame:
    """A row per variant: mean SRCC, PLCC, KRCC and RMSE of the last step, and SRCC of the best step."""
    names = {metric: metric.upper() for metric in METRICS} | {"srcc_best": "SRCC of the best step"}
    table = results.groupby("variant")[list(names)].mean().loc[variants_in(results["variant"])]
    table = table.map("{:.3f}".format)
    table.loc[[not VARIANTS[variant].tuned for variant in table.index], "srcc_best"] = "–"
    return table.rename(index=title, columns=names).rename_axis("variant").reset_index()


def optimism(results: pd.DataFrame) -> float:
    """What picking the best step on the test part would have added to SRCC, on average over the fine-tuned runs."""
    tuned = results[[VARIANTS[variant].tuned for variant in results["variant"]]]
    return float((tuned["srcc_best"] - tuned["srcc"]).mean())


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
