"""Losses on disk while they are made, for whoever wants to watch a curve grow; off unless asked for."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvclive import Live

FOLDER = "GRMP_LIVE"
"""Environment variable: the folder for the curves, such as artifacts/live, or none; it changes no result."""


class Curves:
    """The numbers of one run by step, as DVCLive keeps them: `FOLDER/title/plots/metrics/NAME.tsv`.

    Does nothing where the environment variable is not set. Costs about a millisecond a step, and two seconds once.

    Args:
        title: what is under way; the same title starts its curves anew.
    """

    def __init__(self, title: str) -> None:
        self.folder = Path(os.environ[FOLDER]) / folder_name(title) if os.environ.get(FOLDER) else None
        self._live: Live | None = None

    def add(self, step: int, values: dict[str, float], last: bool = False) -> None:
        """Note the values of `step`, counted from 1; `last` closes the files."""
        if self.folder is None or not values:
            return
        self._live = self._live or _open(self.folder)
        self._live.step = step
        for name, value in values.items():
            self._live.log_metric(name, float(value))
        if last:
            self._live.end()
        else:
            self._live.next_step()


def folder_name(title: str) -> str:
    """A title as the name of a folder: `full @ 50, repeat 1/5` becomes `full-50-repeat-1-5`."""
    return re.sub(r"[^\w.]+", "-", title).strip("-.")


def _open(folder: Path) -> "Live":
    # Here, as the import takes longer than many a run.
    from dvclive import Live

    return Live(str(folder), save_dvc_exp=False, dvcyaml=None)
