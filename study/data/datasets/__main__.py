"""Try a human-rated set: `python -m study.data.datasets NAME FOLDER`."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from grmp.errors import UserError
from study.command import run_command
from study.data.datasets.catalogue import overview
from study.data.datasets.reading import read, verify


def main(
    name: Annotated[str | None, typer.Argument(help="which set, such as livec")] = None,
    folder: Annotated[Path | None, typer.Argument(help="where it was unpacked")] = None,
    decode: Annotated[bool, typer.Option("--verify", help="decode every image")] = False,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="read a partial copy")] = False,
    scale: Annotated[tuple[float, float] | None, typer.Option(help="worst and best end, for csv alone")] = None,
    show: Annotated[bool, typer.Option("--list", help="list the sets that are known")] = False,
) -> None:
    """Read a human-rated set in its official layout and say what is in it."""
    if show:
        typer.echo(overview().to_string(index=False))
        return
    if name is None or folder is None:
        raise UserError("write `python -m study.data.datasets NAME FOLDER`, or `--list` for the names")
    manifest = read(name, folder, allow_missing, scale)
    typer.echo(summary(manifest))
    if decode:
        verify(folder, manifest)
        typer.echo(f"all {len(manifest)} images decode")


def summary(manifest: pd.DataFrame) -> str:
    """Counts and ranges of a manifest, one line each."""
    raw, score = manifest["raw"], manifest["score"]
    lines = [
        f"images: {len(manifest)}",
        f"raw: {raw.min():g} to {raw.max():g}",
        f"score: {score.min():.3f} to {score.max():.3f}, mean {score.mean():.3f}",
    ]
    for column in ("reference", "distortion", "scene", "part"):
        counts = manifest[column][manifest[column] != ""].value_counts().sort_index()
        shown = f": {', '.join(f'{value} {count}' for value, count in counts.items())}" if len(counts) <= 30 else ""
        lines += [f"{column}: {len(counts)}{shown}"] if len(counts) else []
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
