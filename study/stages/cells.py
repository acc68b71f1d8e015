"""One cell of the ablation grid: a variant at a number of labels, with all its repeats."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from grmp.finetune import Outcome
from grmp.io.files import write_whole
from grmp.metrics import DECIMALS, all_metrics, srcc
from grmp.probe_fit import regress
from grmp.runtime import Runtime
from grmp.settings import Qgr
from study.params import label_count
from study.reports.device import device_name
from study.stages.inputs import Inputs, labelled_indices
from study.stages.ridge import fit_predict, predict_each
from study.stages.tuning import tune_all
from study.variant import Variant
from study.variants import find_variant


@dataclass(frozen=True)
class Cell:
    """Results of a cell: a row of metrics per repeat, one per step, and one per test image of the last step."""

    results: pd.DataFrame
    steps: pd.DataFrame
    predictions: pd.DataFrame


def regression(
    inputs: Inputs, variant: Variant, count: int, repeat: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "strength n"]]:
    """Predictions from frozen embeddings, and those of every strength of the penalty, or level of noise.

    By ridge regression at the end of the tower; by Bayesian ones in its middle for a probe, which behind MPP have the
    prior that MPP's images taught.

    Raises:
        UserError: the features were made without what the probe reads.
    """
    features, indices = inputs.features_of(variant), labelled_indices(inputs, count, repeat)
    read = features.probed() if variant.probe else features.average(features.embeddings)
    few, scores, test = (
        part.numpy() for part in (read[indices], inputs.scores[indices], read[inputs.folds[repeat - 1].test])
    )
    if variant.probe:
        return regress(few, scores, inputs.roots if variant.mpp else None).predict(test)
    given = few, scores, test, inputs.finetune.standardise
    return fit_predict(*given), predict_each(*given)


def run_cell(
    inputs: Inputs, variant: str, labels: int | float, qgr: Qgr, kept: Path | None = None, title: str | None = None
) -> Cell:
    """All repeats of one cell. Test scores are read here, after the predictions are made, and nowhere before.

    Args:
        inputs: what all cells share.
        variant: a name of `study.variants.VARIANTS`.
        labels: a count, or a share of a repeat's pool.
        qgr: the section of params.yaml.
        kept: a folder for what was fine-tuned; what stands there already is not computed again.
        title: of the progress.

    Raises:
        UserError: an unknown variant, more labels than a repeat's pool holds, or as `run_pieces`.
    """
    recipe, repeats = find_variant(variant), range(1, inputs.repeats + 1)
    counts = [label_count(labels, len(fold.train)) for fold in inputs.folds]
    if recipe.tuned:
        outcomes = tune_all(inputs, recipe, counts, qgr, kept, title or f"{variant} @ {labels}")
    else:
        outcomes = [None] * inputs.repeats
    cells = []
    for repeat, count, outcome in zip(repeats, counts, outcomes):
        key = {"variant": variant, "labels": labels, "count": count, "strength": qgr.strength, "repeat": repeat}
        cells.append(_assess(inputs, recipe, outcome, key))
    return Cell(**{name: pd.concat([vars(one)[name] for one in cells], ignore_index=True) for name in vars(cells[0])})


def _assess(inputs: Inputs, recipe: Variant, outcome: Outcome | None, key: dict[str, Any]) -> Cell:
    repeat, count = key["repeat"], key["count"]
    fold, steps = inputs.folds[repeat - 1], pd.DataFrame()
    if outcome is None:
        last, candidates = regression(inputs, recipe, count, repeat)
    else:
        candidates, steps = outcome.predictions.numpy(), outcome.steps.assign(**key)
        if recipe.probe:
            share = inputs.finetune.probe_share
            regressed, _ = regression(inputs, recipe, count, repeat)
            candidates = (1 - share) * candidates + share * regressed.clip(0, 1)  # in the range of the quality itself
        last = candidates[-1]
    truth = inputs.scores[fold.test].numpy()
    best = max(srcc(candidate, truth) for candidate in (*candidates, last))
    results = pd.DataFrame([key | all_metrics(last, truth) | {"srcc_best": round(best, DECIMALS)}])
    return Cell(results, steps, pd.DataFrame({"predicted": last.round(DECIMALS)}).assign(place=fold.test, **key))


@dataclass(frozen=True)
class Cells:
    """The cells at one number of labels, by the names of their folders: variants, and `lambda-X` for the sweep."""

    named: dict[str, Cell]

    def table(self, name: str, cells: Sequence[str]) -> pd.DataFrame:
        """One table (results, steps or predictions) of the named cells, in their order."""
        return pd.concat([vars(self.named[cell])[name] for cell in cells], ignore_index=True)


def run_cells(
    inputs: Inputs,
    variants: Sequence[str],
    labels: int | float,
    qgr: Qgr,
    strengths: Sequence[float] = (),
    kept: Path | None = None,
) -> Cells:
    """Every variant at one number of labels, and the full one at every other of the `strengths` of QGR.

    Raises:
        UserError: as `run_cell`.
    """
    for variant in variants:
        find_variant(variant)  # before any of them runs for minutes
    cells = {variant: run_cell(inputs, variant, labels, qgr, kept) for variant in variants}
    for strength in strengths:
        rule, title = qgr.model_copy(update={"strength": float(strength)}), f"full @ {labels}, lambda {strength:g}"
        cells[f"lambda-{strength}"] = run_cell(inputs, "full", labels, rule, kept, title)
    return Cells(cells)


def write_cells(folder: Path, cells: Cells, runtime: Runtime) -> None:
    """Write every cell to its folder below `folder`, and to runtime.json what computed them."""
    for name, cell in cells.named.items():
        write_cell(folder / name, cell)
    used = {"device": device_name(runtime.device.type), "precision": runtime.precision}
    write_whole(folder / "runtime.json", json.dumps(used) + "\n")


def write_cell(folder: Path, cell: Cell) -> None:
    """Write results.csv, steps.csv (empty where nothing was tuned) and predictions.csv below `folder`."""
    for name, table in vars(cell).items():
        write_whole(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g") if len(table) else "")
