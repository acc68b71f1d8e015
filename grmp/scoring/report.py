"""Writes what `grmp fit` measured as one HTML page, which needs no other file."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from grmp.io.decode import read_image
from grmp.io.files import write_whole
from grmp.metrics import fit_logistic
from grmp.scoring.opinions import Bounds
from grmp.scoring.validation import Validation

WORST, SIDE = 8, 220  # images shown, and the longer side of each in pixels
STYLE = """body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
pre { white-space: pre-wrap; } svg { max-width: 32rem; font-size: 13px; text-anchor: middle; overflow: visible; }
path { fill: none; stroke: gray; } circle { fill: steelblue; fill-opacity: .7; }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; }
figcaption { max-width: 220px; font-size: .8rem; overflow-wrap: anywhere; }"""


def write_report(path: Path, told: str, found: Validation, images: Sequence[Path], bounds: Bounds) -> None:
    """Write the page: the card's text, predicted against given scores, the learning curve, the images farthest off.

    Scores are on the user's own scale, whose `bounds` are what 0 and 1 stand for.

    Raises:
        UserError: an image cannot be read, or the page cannot be written.
    """
    mapped = fit_logistic(found.predicted.mean(axis=0), found.true)
    given, predicted = (bounds[0] + (bounds[1] - bounds[0]) * each for each in (found.true, mapped))
    low, high = min(*given, *predicted), max(*given, *predicted)
    farthest = np.argsort(-np.abs(predicted - given), kind="stable")[:WORST]
    captions = [f"{image}: given {x:.3g}, predicted {y:.3g}" for image, x, y in zip(images, given, predicted)]
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>grmp fit</title><style>{STYLE}</style>
<h1>How well the fit predicts labels that it has not seen</h1>
<pre>{escape(told)}</pre>
<h2>Predicted against given</h2>
<p>The mean prediction of the regressions that had not seen the image, behind the logistic of PLCC.</p>
{_plot([*zip(given, predicted)], captions, [(low, low), (high, high)], ("given", "predicted"))}
<h2>What more labels bring</h2>
{_curve(found)}
<h2>Farthest off</h2>
<p>A slip in the table, or what the regressions do not see.</p>
{"".join(_figure(images[place], captions[place]) for place in farthest)}
</html>
"""
    write_whole(path, page)


def _curve(found: Validation) -> str:
    points = [*found.curve.items()]
    captions = [f"{value:.3f} with {count} labels" for count, value in points]
    ahead = found.expected(twice := 2 * len(found.true))
    if ahead is not None:
        points.append((twice, ahead))
        captions.append(f"{ahead:.3f} expected with {twice} labels, if it goes on so")
    corners = [(0, min(0, *found.curve.values())), (points[-1][0], 1)]
    return f"<p>SRCC: {'; '.join(captions)}.</p>\n{_plot(points, captions, points, ('labels', 'SRCC'), corners)}"


def _plot(
    points: Sequence[tuple[float, float]],
    captions: Sequence[str],
    line: Sequence[tuple[float, float]],
    names: tuple[str, str],
    corners: Sequence[tuple[float, float]] = (),
) -> str:
    """Points, with captions under the pointer, and a line as SVG, between `corners`, by default the line's ends."""
    (left, right), (bottom, top) = zip(*(corners or line))

    def place(x: float, y: float) -> tuple[str, str]:
        return f"{np.interp(x, (left, right), (60, 460)):.1f}", f"{np.interp(y, (bottom, top), (320, 30)):.1f}"

    joined = " ".join(",".join(place(*point)) for point in line)
    shown = [(*place(*point), escape(told)) for point, told in zip(points, captions)]
    dots = [f'<circle cx="{x}" cy="{y}" r="4"><title>{told}</title></circle>' for x, y, told in shown]
    words = [(60, 340, f"{left:.3g}"), (460, 340, f"{right:.3g}"), (260, 356, names[0])]
    words += [(35, 324, f"{bottom:.3g}"), (35, 34, f"{top:.3g}"), (60, 16, names[1])]
    texts = [f'<text x="{x}" y="{y}">{told}</text>' for x, y, told in words]
    frame = f'<path d="M60 30V320H460M{joined}"/>'
    return f'<svg viewBox="0 0 500 370">{"".join([frame, *dots, *texts])}</svg>'


def _figure(image: Path, caption: str) -> str:
    small, held = Image.fromarray(read_image(image)), BytesIO()
    small.thumbnail((SIDE, SIDE))
    small.save(held, "JPEG", quality=80)
    source = f"data:image/jpeg;base64,{base64.b64encode(held.getvalue()).decode()}"
    return f'<figure><img src="{source}" alt=""><figcaption>{escape(caption)}</figcaption></figure>\n'
