"""Comma-separated tables that others wrote: read as text of a bounded size, every cell under its own heading."""

import csv
import io
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.errors import ParserWarning

from grmp.errors import UserError

LARGEST = 256 << 20
"""Bytes; the largest published score table has seven million."""
MOST_COLUMNS = 1000


def read_csv(path: Path | str, where: str = "", remedy: str = "", **options: Any) -> pd.DataFrame:
    """A comma-separated table in UTF-8, with or without a byte order mark; `options` are those of pandas' `read_csv`.

    Never from an address, and never uncompressed on the way.

    Args:
        path: the file.
        where: what messages call it; its path if left out.
        remedy: what messages end with.
        options: such as `dtype`.

    Raises:
        UserError: no such file, no table, a column twice, or rows with more cells than the heading has.
    """
    try:
        text = _text(Path(path))
        _check_heading(text)
        with warnings.catch_warnings():
            # Where rows have more cells than the heading, pandas would take the first ones for the rows' names, or,
            # told not to, would only warn that it loses the last ones.
            warnings.simplefilter("error", ParserWarning)
            return pd.read_csv(io.StringIO(text), index_col=False, **options)
    except ParserWarning:
        raise UserError(f"{where or path}: its rows have more cells than the heading{remedy}") from None
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"{where or path}: cannot be read as a table ({reason}){remedy}") from None


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    if os.path.getsize(path) > LARGEST:
        raise ValueError(f"has more than {LARGEST:,} bytes")
    text = path.read_bytes().decode("utf-8-sig")
    if "\0" in text:
        raise ValueError("holds NUL characters")
    return text


def _check_heading(text: str) -> None:
    if text.partition("\n")[0].count(",") >= MOST_COLUMNS:
        raise ValueError(f"has more than {MOST_COLUMNS} columns")
    names = [name.strip() for name in next(csv.reader(io.StringIO(text)), [])]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(f"the column `{twice[0]}` stands there twice")
