"""A user's own labels: a folder of images, and a table that gives each a score on any scale."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from grmp.errors import UserError
from grmp.io.inside import refuse_outside
from grmp.io.table import read_csv
from grmp.metrics import srcc

Bounds = tuple[float, float]
"""The scores of the worst and of the best quality; the first may be the greater (DMOS: higher is worse)."""
Direction = Literal["better", "worse"]
FEWEST = 2


@dataclass(frozen=True)
class Opinions:
    """Images and their scores, as the table gives them; `bounds` where the user said what 0 and 1 stand for.

    `higher_is` where the user said it; without it and `bounds`, higher is taken to be better, which is to be checked.
    """

    name: str
    paths: list[Path]
    scores: Float[np.ndarray, " n"]
    bounds: Bounds | None
    higher_is: Direction | None = None

    def ends(self) -> Bounds:
        """The scores that become 0 and 1: as given, or else the worst and the best of the labels."""
        if self.bounds:
            return self.bounds
        low, high = float(self.scores.min()), float(self.scores.max())
        return (high, low) if self.higher_is == "worse" else (low, high)

    def check_direction(self, untuned: Float[np.ndarray, " n"]) -> None:
        """See that the labels do not go against the scores of a model that has seen none of them.

        Raises:
            UserError: they do, and the user did not say which direction is meant.
        """
        if self.bounds or self.higher_is:
            return
        if (agreement := srcc(untuned, self.scores)) < 0:
            raise UserError(
                f"{self.name}: the labels go against the scores of the untuned model (SRCC {agreement:.2f}); where"
                " higher is worse (as DMOS), give --higher-is worse or --range HIGHEST LOWEST; else --higher-is better"
            )


def read_opinions(
    folder: Path,
    table: Path,
    image_column: str = "image",
    score_column: str = "mos",
    bounds: Bounds | None = None,
    higher_is: Direction | None = None,
) -> Opinions:
    """The images below `folder` that the comma-separated `table` names, and their scores.

    Raises:
        UserError: no such table or column; a score that is no number, or outside of `bounds`; an image that is named
            twice, is not there or lies outside of the folder; fewer than two labels, or all of them equal.
    """
    rows = read_columns(table, image_column, score_column)
    refuse_outside(table, folder, rows[image_column])
    names, scores = rows[image_column], pd.to_numeric(rows[score_column], errors="coerce").to_numpy(float)
    _refuse(table, names[~np.isfinite(scores)], f"have no number in column `{score_column}`")
    _refuse(table, names[names.map(os.path.normpath).duplicated()], "stand there twice")
    paths = [folder / name for name in names]
    _refuse(table, names[[not os.path.isfile(path) for path in paths]], f"are not in {folder}")
    if len(paths) < FEWEST:
        raise UserError(f"{table}: {len(paths)} labels are too few; give {FEWEST} or more")
    if np.ptp(scores) == 0:
        raise UserError(f"{table}: all scores are {scores[0]:g}; there is nothing to learn from equal scores")
    if bounds is not None:
        if bounds[0] == bounds[1]:
            raise UserError(f"--range {bounds[0]:g} {bounds[1]:g}: the worst and the best score must differ")
        outside = (scores < min(bounds)) | (scores > max(bounds))
        _refuse(table, names[outside], f"have scores outside of --range {bounds[0]:g} {bounds[1]:g}")
        if higher_is and (higher_is == "worse") != (bounds[0] > bounds[1]):
            raise UserError(f"--range {bounds[0]:g} {bounds[1]:g} (worst, best) says the opposite of --higher-is")
    return Opinions(table.name, paths, scores, bounds, higher_is)


def read_columns(table: Path, *columns: str) -> pd.DataFrame:
    """A table of text that has these columns, as `read_csv`."""
    rows = read_csv(table, dtype=str, keep_default_na=False, skipinitialspace=True)
    for column in columns:
        if column not in rows:
            raise UserError(f"{table}: column `{column}` is missing (columns: {', '.join(map(str, rows))})")
    return rows


def _refuse(table: Path, names: pd.Series, what: str) -> None:
    if len(names):
        raise UserError(f"{table}: {len(names)} images {what}, first: {names.iloc[0]}")


def scale(scores: Float[np.ndarray, " n"], bounds: Bounds) -> Float[np.ndarray, " n"]:
    """Scores with `bounds` at 0 and 1, higher is better."""
    low, high = bounds
    return (scores - low) / (high - low)
