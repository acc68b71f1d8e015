"""The rows of a table on disk, one per command and device, and how README.md shows them."""

import re
from pathlib import Path

import pandas as pd

from grmp.io.files import write_whole

FOLDER = Path(__file__).parent
RESULTS, README = FOLDER / "results", FOLDER / "README.md"
KEY = ["command", "device", "sizes", "tried"]
MARKED = re.compile(r"(<!-- table (\w+): ([\w ,]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def keep(name: str, command: str, values: dict[str, object]) -> None:
    """Write one row of the table `name`; it takes the place of an earlier one of the same command and device.

    A command that makes a whole table has a column `sizes` or `tried`, which tells its rows apart.
    """
    row, path = {"command": command, **values}, RESULTS / f"{name}.csv"
    table = pd.concat([_read(path), pd.DataFrame([row])], ignore_index=True)
    table = table[~table.duplicated([key for key in KEY if key in table], keep="last")]
    write_whole(path, table.to_csv(index=False, float_format="%.4g"))


def forget(but: set[str]) -> None:
    """Drop the rows of commands that are not among `but`: those of a plan that has changed."""
    for path in RESULTS.glob("*.csv"):
        table = pd.read_csv(path)
        write_whole(path, table[table["command"].isin(but)].to_csv(index=False))


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def with_tables(text: str) -> str:
    """`text` with each `<!-- table NAME: COLUMN, COLUMN -->` followed by what the table's file says."""

    def fill(found: re.Match) -> str:
        table = _read(RESULTS / f"{found[2]}.csv")
        columns = found[3].split(", ")
        shown = "(no rows yet)" if table.empty else _markdown(table.reindex(columns=columns))
        return f"{found[1]}{shown}\n{found[4]}"

    return MARKED.sub(fill, text)


def _markdown(table: pd.DataFrame) -> str:
    lines = [" | ".join(column.replace("_", " ") for column in table), " | ".join(["---"] * len(table.columns))]
    lines += [" | ".join(_cell(name, value) for name, value in row.items()) for _, row in table.iterrows()]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(name: str, value: object) -> str:
    if pd.isna(value):
        return "-"
    if name == "command":
        return f"`{value}`"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def refresh() -> None:
    """Write README.md's tables anew."""
    write_whole(README, with_tables(README.read_text(encoding="utf-8")))
