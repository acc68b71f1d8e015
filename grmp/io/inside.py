"""Refuses names in tables that lead out of their folder."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

from grmp.errors import UserError


def refuse_outside(table: Path | str, folder: Path, names: Iterable[object]) -> None:
    """Check that each of the `names` that `table` gives lies below `folder`, whether or not it is there.

    Raises:
        UserError: an absolute path, one with `..`, a link that leads out of the folder, or no name at all.
    """
    root = os.path.realpath(folder)
    wrong = [name for name in names if not _is_inside(root, name)]
    if wrong:
        raise UserError(
            f"{table}: {len(wrong)} names lead out of {folder}, first: {wrong[0]}; write them relative to it, without "
            "`..`, and put files there instead of links to other places"
        )


def _is_inside(root: str, name: object) -> bool:
    if not isinstance(name, str) or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        return False
    try:
        return os.path.realpath(os.path.join(root, name)).startswith(os.path.join(root, ""))
    except (OSError, ValueError):  # NUL, or letters that no file name can have
        return False
