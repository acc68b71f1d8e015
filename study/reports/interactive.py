"""The one figure that answers to the pointer: predictions against labels, with the image behind every point."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources
from PIL import Image

from grmp.io.decode import read_image
from study.reports.looks import LOOKS
from study.reports.photo_figures import data_uri, distortion_names, small
from study.reports.style import FAINT, INK

THUMBNAIL = 96  # pixels of the longer side of the image under the pointer
_TOOLTIP = """<div style="width: 11rem; font: 12px sans-serif; color: #22262b">
<img src="@picture" alt="" style="display: block; width: 100%; margin-bottom: 4px">
<b>predicted @predicted{0.00}, label @label{0.00}</b><br>@title</div>"""
_FRAME = """<div id="{name}" style="max-width: 44rem; background: #fff"></div>
<script>{library}</script>
<script>Bokeh.embed.embed_item({figure});</script>"""


def explore_predictions(predictions: pd.DataFrame, manifest: pd.DataFrame, folder: Path) -> str:
    """`prediction_explorer` of the images that the predictions are of.

    Args:
        predictions: columns place (of the image in the manifest), predicted.
        manifest: columns image, score, distortions.
        folder: where the images are.

    Raises:
        UserError: an image cannot be read.
    """
    rows = manifest.iloc[predictions["place"]]
    titles = [distortion_names(numbers) for numbers in rows["distortions"]]
    points = {"predicted": predictions["predicted"].to_list(), "label": rows["score"].to_list(), "title": titles}
    pictures = (small(Image.fromarray(read_image(folder / name)), THUMBNAIL) for name in rows["image"])
    return prediction_explorer(pd.DataFrame(points), [data_uri(picture, quality=50) for picture in pictures])


def prediction_explorer(points: pd.DataFrame, pictures: Sequence[str], name: str = "predictions") -> str:
    """A scatter of predictions against labels as HTML; the pointer on a point shows its image.

    The fragment holds all that it needs, bokeh's script (1 MB) included, so that it works without a network; equal
    arguments give equal bytes.

    Args:
        points: columns predicted and label (0..1), and title (words below the image); a row per image.
        pictures: of each row, the image as a data URI, such as `study.reports.photo_figures.data_uri` makes.
        name: the HTML id, to be used once in a page.

    Raises:
        ValueError: not as many pictures as points.
    """
    if len(points) != len(pictures):
        raise ValueError(f"{len(points)} points need as many pictures, not {len(pictures)}")
    source = ColumnDataSource({**points[["predicted", "label", "title"]].to_dict("list"), "picture": list(pictures)})
    drawn = _numbered(json.dumps(json_item(_scatter(source), name)))
    library = "".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    # A script ends at the first such tag, whatever string it stands in.
    return _FRAME.format(name=name, library=_safe(library), figure=_safe(drawn))


def _scatter(source: ColumnDataSource) -> figure:
    plot = figure(
        width=640,
        height=520,
        sizing_mode="scale_width",
        x_range=(0, 1),
        y_range=(0, 1),
        x_axis_label="predicted quality",
        y_axis_label="label",
        tools="pan,wheel_zoom,reset",
        active_drag=None,  # on a telephone a drag and a wheel are for the page
        active_scroll=None,
    )
    plot.line([0, 1], [0, 1], line_color=FAINT, line_alpha=0.6)
    colour = LOOKS["full"].colour
    dots = plot.scatter(
        "predicted", "label", source=source, size=9, fill_color=colour, fill_alpha=0.6, line_color="white",
        hover_fill_color=LOOKS["without_mpp"].colour, hover_line_color=INK,
    )  # fmt: skip
    plot.add_tools(HoverTool(renderers=[dots], tooltips=_TOOLTIP, point_policy="snap_to_data", limit=1))
    plot.axis.axis_label_text_font_style = "normal"
    plot.toolbar.logo = None
    plot.grid.grid_line_color = "#e3e6e9"
    plot.outline_line_color = None
    return plot


def _numbered(drawn: str) -> str:
    # bokeh counts the objects of the whole process: count those of this figure alone.
    names = {old: f"p{place}" for place, old in enumerate(dict.fromkeys(re.findall(r'"id": "(p\d+)"', drawn)), 1)}
    return re.sub(r'"(p\d+)"', lambda match: f'"{names.get(match[1], match[1])}"', drawn)


def _safe(script: str) -> str:
    return script.replace("</script", "<\\/script")
