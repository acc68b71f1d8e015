"""The command `grmp`: score images, fit to your own labels, read a checkpoint's card.

Torch is imported by the commands that need it, so that help comes at once.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from grmp.errors import UserError, in_one_line
from grmp.io import paths
from grmp.settings import load_method

if TYPE_CHECKING:
    from grmp.scoring.scorer import Scored

app = typer.Typer(
    name="grmp",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Judge the technical quality of photographs, from 0 to 1, without a reference image.",
    epilog="Begin with `grmp score PHOTOS`; `grmp COMMAND --help` shows examples.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grmp {version('grmp')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of `grmp` itself."""


@app.command(
    epilog="`grmp score holiday/ 'scans/**/*.tif'`\n\n"
    "`grmp score photos --format csv > quality.csv`\n\n"
    "`grmp score photo.jpg --checkpoint mine.safetensors --scale own`"
)
def score(
    images: Annotated[list[str], typer.Argument(help="Files, folders (searched to any depth) or patterns in quotes.")],
    checkpoint: Annotated[Path, typer.Option(help="What judges: the study's own, or one of grmp fit.")] = paths.STUDY,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How they are printed.")] = "table",
    batch: Annotated[int, typer.Option(min=1, help="Images at a time; without effect on the scores.")] = 32,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: a GPU where there is one.")] = "auto",
    resume: Annotated[Path | None, typer.Option(help="CSV to go on with: skips its images, appends new rows.")] = None,
    interval: Annotated[bool, typer.Option("--interval", help="Also where the label is in nine of ten cases.")] = False,
    scale: Annotated[Literal["unit", "own"], typer.Option(help="0 to 1, or own: that of grmp fit --range.")] = "unit",
) -> None:
    """Score images: 1 is the best quality, 0 the worst. On LIVEC its SRCC is 0.66; with 50 labels the study has 0.82.

    Scores go to standard output as they are known, in the given order; everything else goes to standard error. An image
    that cannot be read is named there, the others are scored, and the exit status is 1.
    """
    from grmp.scoring import rows
    from grmp.scoring.inputs import find_images
    from grmp.scoring.scorer_file import load

    if resume and (interval or scale == "own"):
        raise typer.BadParameter("--resume goes on with scores from 0 to 1; leave out --interval and --scale own")
    files, names = find_images(images), ("quality", "low", "high") if interval else ("quality",)
    scorer = load(checkpoint, device)
    files, opened = rows.resume(resume, files, scorer) if resume else (files, nullcontext(sys.stdout))
    with opened as target, rows.writer("csv" if resume else form, target, files, names) as write:
        raise typer.Exit(_write_all(scorer.stream(files, batch, interval, scale), len(files), write))


def _write_all(stream: "Iterator[Scored]", total: int, write: "Callable[[Scored], None]") -> int:
    """Write results as they come, under a bar where standard error is a terminal; the exit status."""
    console, started, failed, done = Console(stderr=True), time.monotonic(), 0, 0
    columns = ("score", BarColumn(), MofNCompleteColumn(), "{task.fields[rate]}", TimeRemainingColumn())
    quiet, piped = not console.is_terminal, not sys.stdout.isatty()  # rows for a pipe are not to be above the bar
    shown = Progress(*columns, console=console, disable=quiet, transient=True, redirect_stdout=not piped)
    status = 130  # as shells tell of Ctrl-C
    try:
        with shown as progress:
            task = progress.add_task("score", total=total, rate="")
            for row in stream:
                if row.error:
                    print(f"error: {row.error}", file=sys.stderr)
                    failed += 1
                else:
                    write(row)
                done += 1
                progress.update(task, completed=done, rate=f"{done / (time.monotonic() - started):.1f} images/s")
        status = 1 if failed else 0
    except KeyboardInterrupt:
        typer.echo(f"stopped: {done - failed} of {total} images were scored", err=True)
    seconds = time.monotonic() - started
    rate = f"{done} images in {seconds:.1f} s, {done / seconds:.1f} images/s"
    typer.echo(rate + (f"; {failed} could not be read" if failed else ""), err=True)
    return status


@app.command(
    epilog="`grmp fit --data photos --scores ratings.csv`\n\n"
    "`grmp fit --data photos --scores dmos.csv --score-column dmos --range 100 0 --out mine.safetensors`"
)
def fit(
    data: Annotated[Path, typer.Option(help="Folder of the images.")],
    scores: Annotated[Path, typer.Option(help="Comma-separated table: one row per image, its name and its score.")],
    image_column: Annotated[str, typer.Option(help="Column of the images' names below the folder.")] = "image",
    score_column: Annotated[str, typer.Option(help="Column of the scores, on any scale.")] = "mos",
    bounds: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="WORST BEST", help="Possible scores (DMOS: 100 0); else the table's ends."),
    ] = None,
    higher_is: Annotated[
        Literal["better", "worse"] | None, typer.Option(help="What a higher score means, where that is asked for.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Checkpoint to write.")] = paths.FITTED,
    params: Annotated[Path, typer.Option(help="The study's parameters.")] = Path("params.yaml"),
) -> None:
    """Adapt the study's model to your own labels, and write a checkpoint for `grmp score`.

    Run it where the study was made (it needs artifacts/). It learns from all labels; how well that works is measured
    by cross-validation, and told on the card; the predictions are in a CSV beside the checkpoint.
    """
    from grmp.scoring import fit as fitting
    from grmp.scoring.opinions import read_opinions

    table = out.with_suffix(".csv")
    if table.resolve() in (out.resolve(), scores.resolve()):
        raise UserError(f"{table}: predictions would take its place; give another --out")
    settings = load_method(params)
    opinions = read_opinions(data, scores, image_column, score_column, bounds, higher_is)
    card_of_it = fitting.fit(opinions, settings, out)
    typer.echo(f"{card_of_it.text()}\n-> {out}")


@app.command(
    epilog="`grmp suggest photos --count 25 --out ratings.csv`\n\n"
    "`grmp suggest photos --count 25 --out ratings.csv --labelled ratings_so_far.csv`"
)
def suggest(
    data: Annotated[Path, typer.Argument(help="Folder of the images.")],
    count: Annotated[int, typer.Option(min=1, help="How many to name.")] = 25,
    labelled: Annotated[Path | None, typer.Option(help="Table of images with labels, in its column image.")] = None,
    out: Annotated[Path, typer.Option(help="Table to write: image,mos, with mos empty.")] = Path("ratings.csv"),
    params: Annotated[Path, typer.Option(help="The study's parameters.")] = Path("params.yaml"),
) -> None:
    """Name the images whose labels teach most, the most telling first; fill in `mos`, then `grmp fit` takes the table.

    Run it where the study was made (it needs artifacts/). With few labels it pays most: see the model card.
    """
    from grmp.io.files import write_whole
    from grmp.scoring import suggest as suggesting

    if out.exists():
        raise UserError(f"{out}: exists, and may hold labels; give another --out")
    write_whole(out, suggesting.suggest(data, count, load_method(params), labelled).to_csv(index=False))
    typer.echo(f"-> {out}")


@app.command(epilog="`grmp card mine.safetensors`")
def card(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the study or of `grmp fit`.")] = paths.STUDY,
) -> None:
    """Print what made a checkpoint: backbone, labels, parameters, agreement with labels that it had not seen."""
    from grmp.scoring.scorer_file import read_card

    typer.echo(read_card(checkpoint).text())


def main() -> None:
    """Run the command; what the user can mend ends in one line and exit status 1."""
    with in_one_line():
        app()


if __name__ == "__main__":
    main()
