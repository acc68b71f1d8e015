"""A human-rated set as the target of a study: its manifest, with the role of every image in every repeat."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from grmp.errors import UserError
from study import params
from study.command import run_command
from study.data import datasets
from study.data.manifests import write_manifest
from study.data.sets import folds
from study.data.splits import random_split, read_split, set_aside
from study.params import Target

RANDOM = "random"
TEST_SHARE = 0.2
"""Of the images; the field's 80/20."""
POOL = ("train", "val")
"""Roles whose labels a repeat may draw: with the published 70/10/20 splits, the field's 80 %."""


def rated_manifest(target: Target, repeats: int, seed: int) -> pd.DataFrame:
    """The set's manifest with a column `part_N` per repeat: `train`, `test`, or empty.

    Images that settings were chosen on, role `val` of the split number `target.development` (0: none), test nowhere.

    Raises:
        UserError: what `study.data.datasets.read` and `read_split` refuse, or fewer splits than repeats.
    """
    manifest, splits = _read(target, repeats, seed)
    if "scene" in splits[0] and not manifest["scene"].any():
        manifest["scene"] = splits[0]["scene"]
    chosen_on = _chosen_on(target, splits)
    for number, split in enumerate(splits[:repeats], 1):
        part = split["role"].replace(dict.fromkeys(POOL, "train"))
        manifest[f"part_{number}"] = part.mask((part == "test") & chosen_on, "")
    return manifest


def development_manifest(target: Target, repeats: int, seed: int) -> pd.DataFrame:
    """The set's manifest for choosing settings: labels from the development split's `train`, tests on its `val`.

    Raises:
        UserError: as `rated_manifest`, or no development set is named.
    """
    if not target.development:
        raise UserError("params.yaml: target.development: names no split whose role val settings could be chosen on")
    manifest, splits = _read(target, repeats, seed)
    roles = splits[target.development - 1]["role"]
    return manifest.assign(part=roles.map({"train": "train", "val": "test"}).fillna(""))


def _read(target: Target, repeats: int, seed: int) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """The set's manifest without its own parts, and the splits, whose rows are in the manifest's order."""
    manifest = datasets.read(target.name, Path(target.folder), scale=target.scale).drop(columns="part")
    if target.held_back:
        manifest, aside = set_aside(manifest, Path(target.folder), target.held_back)
        manifest = manifest[~aside].reset_index(drop=True)
    splits = _splits(target, manifest, repeats, seed)
    if target.development > len(splits):
        raise UserError(f"params.yaml: target.development: there is no split {target.development} of {len(splits)}")
    return manifest, splits


def _splits(target: Target, manifest: pd.DataFrame, repeats: int, seed: int) -> list[pd.DataFrame]:
    if target.splits == RANDOM:
        return [
            random_split(manifest, Path(target.folder), TEST_SHARE, seed + number, val_share=0.1)
            for number in range(repeats)
        ]
    paths = sorted(Path(target.splits).glob("*.csv"))
    if len(paths) < repeats:
        raise UserError(
            f"{target.splits}: has {len(paths)} splits (*.csv), but grid.repeats asks for {repeats}; or write "
            f"target.splits: {RANDOM}"
        )
    return [read_split(path, manifest) for path in paths]


def _chosen_on(target: Target, splits: list[pd.DataFrame]) -> pd.Series:
    if not target.development:
        return pd.Series(False, index=splits[0].index)
    return splits[target.development - 1]["role"] == "val"


def main(
    out: Annotated[Path, typer.Argument(help="folder that gets manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
    development: Annotated[bool, typer.Option(help="test on the development set, to choose settings on it")] = False,
) -> None:
    """Read the human-rated set of params.yaml's section `target`, and deal its images to the repeats."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; see human/params.yaml")
    deal = development_manifest if development else rated_manifest
    manifest = deal(settings.target, settings.grid.repeats, settings.compute.seed)
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(out, manifest)
    first = folds(manifest, 1)[0]
    counts = f"first repeat {len(first.train)} to train on, {len(first.test)} to test on"
    typer.echo(f"{settings.target.name}: {len(manifest)} images; {counts}")


if __name__ == "__main__":
    run_command(main)
