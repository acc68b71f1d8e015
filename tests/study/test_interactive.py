import json
import re

import pandas as pd
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from PIL import Image

from study.reports.interactive import prediction_explorer
from study.reports.photo_figures import data_uri


@pytest.fixture
def points() -> pd.DataFrame:
    return pd.DataFrame(
        {"predicted": [0.25, 0.5, 0.75], "label": [0.2, 0.6, 0.7], "title": ["blur", "noise <b>", "</script>"]}
    )


@pytest.fixture
def pictures() -> list[str]:
    return [data_uri(Image.new("RGB", (8, 6), colour)) for colour in ("red", "green", "blue")]


def test_every_point_and_picture_is_in_the_page(points: pd.DataFrame, pictures: list[str]) -> None:
    html = prediction_explorer(points, pictures)
    assert all(picture in html for picture in pictures)
    drawn = json.loads(re.search(r"embed_item\((.*)\);</script>", html)[1].replace("<\\/script", "</script"))
    assert drawn["target_id"] == "predictions"
    document = Document.from_json(drawn["doc"])  # as the browser does: every reference must be known
    assert drawn["root_id"] == document.roots[0].id
    source = next(model for model in document.models if isinstance(model, ColumnDataSource) and "title" in model.data)
    assert {key: list(values) for key, values in source.data.items()} == points.to_dict("list") | {"picture": pictures}


def test_nothing_is_fetched(points: pd.DataFrame, pictures: list[str]) -> None:
    html = prediction_explorer(points, pictures)
    assert not re.search(r"<script[^>]+src|<link", html)
    assert html.count("<script>") == html.count("</script>") == 2  # a title cannot end a script


def test_equal_arguments_give_equal_bytes(points: pd.DataFrame, pictures: list[str]) -> None:
    first = prediction_explorer(points, pictures)
    assert prediction_explorer(points, pictures) == first
    assert prediction_explorer(points, pictures, name="other") != first


def test_the_fragment_is_of_moderate_size(points: pd.DataFrame, pictures: list[str]) -> None:
    assert len(prediction_explorer(points, pictures)) < 1_500_000


def test_a_picture_for_every_point_is_needed(points: pd.DataFrame, pictures: list[str]) -> None:
    with pytest.raises(ValueError, match="3 points need as many pictures, not 2"):
        prediction_explorer(points, pictures[:2])
