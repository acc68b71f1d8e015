"""Whether a few splits, run again, give what is committed: a check of a long study in a short time."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from grmp.errors import UserError, run_command
from grmp.table import read_csv

KEY = ["variant", "labels", "repeat"]


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


def main(
    again: Annotated[Path, typer.Argument(help="results.csv of the runs made now")],
    kept: Annotated[Path, typer.Argument(help="runs.csv that is committed")],
    tolerance: Annotated[float, typer.Option(help="largest difference of the medians that is no failure")] = 0.02,
) -> None:
    """Compare the median SRCC of runs made now with that of the same runs as committed; exit status 1 if it differs."""
    both = compare_runs(read_csv(again), read_csv(kept))
    typer.echo(both.to_string(index=False))
    now, then = both["again"].median(), both["committed"].median()
    typer.echo(f"median of {len(both)} splits: {now:.4f} now, {then:.4f} committed, difference {abs(now - then):.4f}")
    if abs(now - then) > tolerance:
        raise UserError(f"{again}: the median differs by {abs(now - then):.4f} from {kept}")


if __name__ == "__main__":
    run_command(main)
