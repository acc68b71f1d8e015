"""Findings and tables as Markdown."""

from collections.abc import Sequence

import pandas as pd


def bullets(sentences: Sequence[str]) -> str:
    """The sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def copy_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """The frame as a Markdown table, ready to be copied; numbers to the right, floats with `digits` decimals."""
    aligns = ["---:" if pd.api.types.is_numeric_dtype(kind) else ":---" for kind in frame.dtypes]
    rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[str(name) for name in frame.columns], aligns, *rows])


def _cell(value: object, digits: int) -> str:
    text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
