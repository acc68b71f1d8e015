"""A table of images and their scores that is filled in one score at a time, and saved at each."""

from pathlib import Path

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.inside import refuse_outside
from grmp.scoring.opinions import read_columns


class Ratings:
    """The table of `grmp suggest`: images below a folder, and a score for each that has one.

    Args:
        table: with the columns image and mos; others stay as they are.
        folder: where the images are.

    Raises:
        UserError: no such table, or a name that leads out of the folder.
    """

    def __init__(self, table: Path, folder: Path) -> None:
        self.table, self.folder = table, folder
        self.rows = read_columns(table, "image", "mos")
        refuse_outside(table, folder, self.rows["image"])
        self.given: list[int] = []
        """Rows that were scored since the start, the last one last."""

    @property
    def empty(self) -> list[int]:
        """The rows without a score, in their order."""
        return self.rows.index[self.rows["mos"].str.strip() == ""].tolist()

    @property
    def current(self) -> int | None:
        """The row of the first image without a score; None where all have one."""
        return next(iter(self.empty), None)

    @property
    def done(self) -> int:
        """How many have a score."""
        return len(self.rows) - len(self.empty)

    def path(self) -> Path:
        """The file of the current image.

        Raises:
            UserError: all have a score.
        """
        if self.current is None:
            raise UserError(f"{self.table}: every image has a score")
        return self.folder / self.rows.at[self.current, "image"]

    def give(self, image: str, score: int) -> None:
        """Score the current image, if it is still the named one: a key that is pressed twice counts once."""
        row = self.current
        if row is not None and self.rows.at[row, "image"] == image:
            self._set(row, str(score))
            self.given.append(row)

    def undo(self) -> None:
        """Take the last score back that was given since the start."""
        if self.given:
            self._set(self.given.pop(), "")

    def _set(self, row: int, score: str) -> None:
        self.rows.at[row, "mos"] = score
        write_whole(self.table, self.rows.to_csv(index=False))
