"""`dvc repro` that can be killed anywhere: what it notes between stages is whole, and what a killed one left is no bar.

DVC writes dvc.lock and its table of busy files in place. Killed in the middle, it leaves half a dvc.lock, which makes
finished stages run again, or half a table, which stops it. A table also names dead processes by their numbers, which
others may have by now.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
from dvc.dvcfile import LOCK_FILE
from dvc.fs import LocalFileSystem
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE

from grmp.errors import in_one_line
from grmp.files import remove_leftovers, whole, write_whole
from grmp.forkserver import kept
from grmp.guard import alone, run
from grmp.orphans import end_with_parent
from grmp.paths import UNFINISHED, UNFINISHED_VARIABLE

_open = LocalFileSystem.open


def write_text_whole() -> None:
    """Make DVC write its text files beside their place, then rename them."""
    LocalFileSystem.open = _open_whole


def _open_whole(system: LocalFileSystem, path: str, mode: str = "r", **options: Any) -> AbstractContextManager[IO]:
    if mode in ("w", "w+"):
        return _written(Path(path), **options)
    return _open(system, path, mode, **options)


@contextmanager
def _written(path: Path, encoding: str = "utf-8") -> Iterator[IO[str]]:
    with whole(path) as beside, beside.open("w", encoding=encoding) as file:
        yield file
    if path.name == LOCK_FILE:
        forget_pieces()


def forget_pieces() -> None:
    """Remove the kept pieces of stages: DVC runs one at a time, and has noted the last one as done."""
    shutil.rmtree(os.environ.get(UNFINISHED_VARIABLE, UNFINISHED), ignore_errors=True)


def forget_the_dead(table: Path) -> None:
    """Take out of DVC's table of busy files what a killed DVC has left there.

    A table that is not JSON goes as a whole: it tells nothing, and DVC would not start.
    """
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
        written = {path: info for path, info in content.get("write", {}).items() if _runs(info)}
        read = {path: [info for info in infos if _runs(info)] for path, infos in content.get("read", {}).items()}
    except FileNotFoundError:
        return
    except (ValueError, AttributeError, KeyError, TypeError):
        table.unlink()
        return
    kept = {"write": written, "read": {path: infos for path, infos in read.items() if infos}}
    if kept != content:
        write_whole(table, json.dumps(kept))


def _runs(info: dict[str, Any]) -> bool:
    try:
        words = psutil.Process(int(info["pid"])).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's
        return True
    return any(Path(word).name in ("dvc", __spec__.name) for word in words)


def reproduce(arguments: list[str]) -> int:
    """Run `dvc repro` with these arguments, alone in its checkout; returns its exit status.

    With `--force` no kept piece is used.

    Raises:
        UserError: another one is under way, or the folder cannot be written.
    """
    root = Path(Repo.find_root())
    folder = root / Repo.DVC_DIR / "tmp"
    with alone(folder), kept(folder):
        forget_the_dead(folder / RWLOCK_FILE)
        if "--force" in arguments:
            forget_pieces()
        status = run(["repro", *arguments], root)
        if status == 0:
            forget_pieces()
            for name in ("artifacts", "reports"):
                remove_leftovers(root / name)
            for place in (root, folder):  # of dvc.lock and the table of busy files
                remove_leftovers(place, below=False)
    return status


def main() -> None:
    """Run `dvc repro` with the arguments of the command line."""
    end_with_parent()
    write_text_whole()
    with in_one_line():
        sys.exit(reproduce(sys.argv[1:]))


if __name__ == "__main__":
    main()
