"""How scores are written: one row after the other, as they are known, as a table, CSV or JSON."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from grmp.errors import UserError
from grmp.scoring.scorer import Scored, Scorer

DECIMALS, HEADING = 6, "image,quality\n"
NEARLY = 1e-3  # how far a score may be from the one in a file that is gone on with: rounding on another machine
Write = Callable[[Scored], None]


@contextmanager
def writer(form: str, target: TextIO, files: list[Path], names: Sequence[str]) -> Iterator[Write]:
    """What writes a row to `target` as a `table`, `csv` or `json`: the image and its numbers of these names."""
    width = max([len("image"), *(len(str(path)) for path in files)])
    lines, before = csv.writer(target, lineterminator="\n"), "["
    if form == "table":
        print(f"{'image':{width}}", *(f"{name:>8}" for name in names), sep="  ", file=target, flush=True)
    elif form == "csv" and (target is sys.stdout or not target.tell()):
        lines.writerow(["image", *names])

    def write(row: Scored) -> None:
        nonlocal before
        numbers = {name: getattr(row, name) for name in names}
        if form == "table":
            print(f"{row.image:{width}}", *(f"{number:8.4f}" for number in numbers.values()), sep="  ", file=target)
        elif form == "csv":
            lines.writerow([row.image, *(f"{number:.{DECIMALS}f}" for number in numbers.values())])
        else:
            entry = {"image": row.image} | {name: round(number, DECIMALS) for name, number in numbers.items()}
            print(f"{before}\n {json.dumps(entry, ensure_ascii=False)}", end="", file=target)
            before = ","
        target.flush()

    try:
        yield write
    finally:
        if form == "json":
            print("[]" if before == "[" else "\n]", file=target, flush=True)


def resume(path: Path, files: list[Path], scorer: Scorer) -> tuple[list[Path], TextIO]:
    """The files that a CSV of scores does not name yet, and the CSV, open behind its last whole row.

    Raises:
        UserError: it is no such table, or the first image that it shares with `files` has another score now.
    """
    content = path.read_bytes() if path.exists() else b""
    if content and not content.startswith(HEADING.encode()):
        raise UserError(f"{path}: does not begin with `{HEADING.strip()}`; it is no CSV of grmp score")
    whole = content.rfind(b"\n") + 1  # the last row may have been cut off
    try:
        rows = list(csv.reader(io.StringIO(content[:whole].decode(), newline="")))[1:]
        known = {image: float(quality) for image, quality in rows}
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table ({error})") from None
    for image in [file for file in files if str(file) in known][:1]:
        now = scorer.score(image)["quality"][0]
        if not abs(now - known[str(image)]) < NEARLY:
            raise UserError(f"{path}: gives {image} {known[str(image)]:g}, this checkpoint {now:.{DECIMALS}f}")
    target = path.open("a", encoding="utf-8", newline="")
    target.truncate(whole)
    return [file for file in files if str(file) not in known], target
