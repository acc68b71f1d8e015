"""The generated sets as the study makes them: images, the map that labels them, and how well it agrees with people."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from grmp.errors import UserError
from grmp.metrics import plcc, srcc
from study.data import manifests
from study.data.distortions import DISTORTIONS
from study.data.generate import single_recipes, target_recipes, write_images
from study.data.labels import LabelMap, agreement, agreement_per_type, kadid_cells, leave_one_type_out
from study.data.photos import Photograph
from study.params import Distort


@dataclass(frozen=True)
class Sets:
    """Both sets.

    Args:
        cells: a row per (type, level): mean `similarity` of our images, mean `score` of KADID-10k's raters (0..1).
        label_map: from similarity to score, fitted on the cells.
        manifests: of `pretrain` and `target`, with labels.
    """

    cells: pd.DataFrame
    label_map: LabelMap
    manifests: dict[str, pd.DataFrame]


def make_sets(parts: dict[str, list[Photograph]], settings: Distort, folder: Path, seed: int) -> Sets:
    """Write both sets below `folder`: `pretrain`, of single distortions, and `target`, of mixtures.

    Raises:
        UserError: a photograph is in two parts, or as `study.data.generate.write_images`.
    """
    recipes = single_recipes(parts["pretrain"], settings.levels_per_task, seed)
    single = write_images(recipes, folder / "pretrain", settings, "pre-training set")
    mixed = write_images(target_recipes(parts, settings, seed), folder / "target", settings, "target set")
    cells = severity_cells(single)
    label_map = LabelMap.fit(cells)
    label_map.save(folder / "label_map.json")
    for name, table in (("pretrain", single), ("target", mixed)):
        manifests.write_manifest(folder / name, table.assign(score=label_map(table["similarity"].to_numpy())))
    made = {name: manifests.read_manifest(folder / name) for name in ("pretrain", "target")}
    refuse_shared(pd.concat(made.values()))
    return Sets(cells, label_map, made)


def severity_cells(single: pd.DataFrame) -> pd.DataFrame:
    """Mean similarity per (type, level) of single distortions, beside what KADID-10k's raters gave that cell."""
    numbers = single.assign(type=single["distortions"].astype(int), level=single["levels"].astype(int))
    means = numbers.groupby(["type", "level"], as_index=False)["similarity"].mean()
    return means.merge(kadid_cells(), on=["type", "level"])


def refuse_shared(images: pd.DataFrame) -> None:
    """See that no photograph is in two parts.

    Raises:
        UserError: one is.
    """
    parts = images.groupby("photograph")["part"].nunique()
    if (parts > 1).any():
        raise UserError(f"manifest.csv: photograph {parts.idxmax()} is in {parts.max()} parts; remove the set's folder")


def agreement_by_type(cells: pd.DataFrame) -> pd.DataFrame:
    """A row per distortion type: name, `srcc` over its five levels, and `offset`.

    The offset is the mean of label minus human score (scale 0..1) had the map never seen that type.
    """
    left_out = leave_one_type_out(cells)
    offset = (left_out["predicted"] - left_out["score"]).groupby(left_out["type"]).mean()
    table = pd.DataFrame({"srcc": agreement_per_type(cells), "offset": offset}).rename_axis("type").reset_index()
    table.insert(1, "name", table["type"].map({kind.number: kind.title for kind in DISTORTIONS}))
    return table


def agreement_numbers(cells: pd.DataFrame) -> dict[str, float | int]:
    """How well labels and raters agree over the cells, and with each type left out of the fit in turn."""
    left_out = leave_one_type_out(cells)
    predicted, score = left_out["predicted"].to_numpy(), left_out["score"].to_numpy()
    return {
        "srcc_cells": agreement(cells),
        "srcc_leave_one_type_out": srcc(predicted, score),
        "plcc_leave_one_type_out": plcc(predicted, score),
        "mean_absolute_error_leave_one_type_out": float(abs(predicted - score).mean()),
        "types_in_order": int((agreement_per_type(cells) > 0.999).sum()),
    }
