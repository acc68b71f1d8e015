"""The page about a fit of one's own: `python -m study.stages.fit_page mine.safetensors`."""

from html import escape
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import read_image
from grmp.io.files import write_whole
from grmp.io.paths import FITTED
from grmp.io.table import read_csv
from grmp.scoring.card import Card
from grmp.scoring.scorer_file import read_card
from study.command import run_command
from study.reports.frame import whole_page
from study.reports.index import svg
from study.reports.photo_figures import data_uri, small
from study.reports.style import closed, new_axes, set_style

TITLE = "How well the fit predicts labels that it has not seen"
WORST, SIDE = 8, 220  # images shown, and the longer side of each in pixels
CSS = """pre { white-space: pre-wrap; }
figure { display: inline-block; width: 220px; margin: 0 1rem 1rem 0; vertical-align: top; }"""


def expected(curve: dict[int, float], count: int) -> float | None:
    """The SRCC that `count` labels would bring, if what is lacking to 1 shrank on by the same power of the number.

    None where fewer than two numbers of labels were tried.
    """
    if len(curve) < 2:
        return None
    numbers, lacking = np.log([*curve]), np.log1p(-np.minimum([*curve.values()], 1 - 1e-6))
    power = min(np.polyfit(numbers, lacking, 1)[0], 0)
    return float(1 - np.exp(lacking.mean() + power * (np.log(count) - numbers.mean())))


def fit_page(card: Card, table: pd.DataFrame) -> str:
    """The page: the card, predicted against given scores, the learning curve, and the images that are farthest off.

    `table` has the columns image (a path), given and predicted.

    Raises:
        UserError: an image cannot be read, or the card tells nothing of labels that were not learned from.
    """
    if card.held_out is None:
        raise UserError("its card tells nothing of labels that were not learned from; `grmp fit` measures from ten on")
    far = (table["predicted"] - table["given"]).abs().sort_values(ascending=False, kind="stable").index[:WORST]
    curve = card.held_out.curve
    ahead = expected(curve, twice := 2 * card.held_out.images)
    told = [f"{value:.3f} with {count} labels" for count, value in curve.items()]
    told += [f"{ahead:.3f} with {twice}, if it goes on so"] if ahead is not None else []
    body = f"""<main><h1>{TITLE}</h1>
<pre>{escape(card.text())}</pre>
<h2>Predicted against given</h2>
<p>The mean prediction of the regressions that had not seen the image, behind the logistic of PLCC.</p>
{svg(scatter(table))}
<h2>What more labels bring</h2>
<p>SRCC: {"; ".join(told)}.</p>
{svg(curve_plot({**curve, twice: ahead} if ahead is not None else curve))}
<h2>Farthest off</h2>
<p>A slip in the table, or what the regressions do not see.</p>
{"".join(map(_figure, table.loc[far].itertuples()))}</main>"""
    return whole_page(TITLE, body, CSS)


def scatter(table: pd.DataFrame) -> Figure:
    """Predicted against given scores, and the line on which they are equal."""
    axes = new_axes(5, 4)
    axes.axline((table["given"].mean(), table["given"].mean()), slope=1, color="grey", linewidth=1)
    axes.scatter(table["given"], table["predicted"], alpha=0.7)
    axes.set(xlabel="given", ylabel="predicted")
    return closed(axes.figure)


def curve_plot(curve: dict[int, float]) -> Figure:
    """SRCC by the number of labels."""
    axes = new_axes(5, 4)
    axes.plot([*curve], [*curve.values()], "o-")
    axes.set(xlabel="labels", ylabel="SRCC", ylim=(min(0, *curve.values()), 1), xlim=(0, None))
    return closed(axes.figure)


def _figure(row: tuple) -> str:
    picture = data_uri(small(Image.fromarray(read_image(Path(row.image))), SIDE))
    caption = escape(f"{row.image}: given {row.given:.3g}, predicted {row.predicted:.3g}")
    return f'<figure><img src="{picture}" alt=""><figcaption>{caption}</figcaption></figure>\n'


def main(
    checkpoint: Annotated[Path, typer.Argument(help="of grmp fit, its CSV beside it")] = FITTED,
) -> None:
    """Write the page about a fit beside its checkpoint."""
    set_style()
    page, table = checkpoint.with_suffix(".html"), read_csv(checkpoint.with_suffix(".csv"), dtype={"image": str})
    write_whole(page, fit_page(read_card(checkpoint), table))
    typer.echo(f"-> {page}")


if __name__ == "__main__":
    run_command(main)
