import ipywidgets as widgets
import pytest
from IPython.display import Image

from grmp.errors import UserError
from study.playground.live_output import Shown, follow


@pytest.fixture
def slider() -> widgets.IntSlider:
    return widgets.IntSlider(2, 0, 5)


def show_of(slider: widgets.IntSlider) -> Shown:
    if slider.value == 5:
        raise UserError("five.png: cannot be read")
    return f"level {slider.value}", Image(bytes([slider.value]), format="jpeg")


def texts(published: list[dict]) -> list[str]:
    return [output["data"].get("text/markdown", "") for output in published]


def test_words_and_picture_are_ordinary_outputs(published: list[dict], slider: widgets.IntSlider) -> None:
    follow(slider, [slider], lambda: show_of(slider))
    assert "level 2" in texts(published)
    assert "image/jpeg" in published[-1]["data"]
    assert not any("application/vnd.jupyter.widget-view+json" in output["data"] for output in published[1:])


def test_they_are_replaced_when_an_input_changes(published: list[dict], slider: widgets.IntSlider) -> None:
    follow(slider, [slider], lambda: show_of(slider))
    before = len(published)
    slider.value = 3
    words, picture = published[before:]
    assert words["data"]["text/markdown"] == "level 3"
    assert words["update"]
    assert picture["update"]
    ids = [output["transient"]["display_id"] for output in published[1:]]
    assert len(set(ids)) == 2


def test_where_widgets_do_not_run_the_controls_are_a_remark(published: list[dict], slider: widgets.IntSlider) -> None:
    follow(slider, [slider], lambda: show_of(slider))
    assert "make explore" in published[0]["data"]["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in published[0]["data"]


def test_what_the_user_can_mend_is_said_and_does_not_end_it(published: list[dict], slider: widgets.IntSlider) -> None:
    follow(slider, [slider], lambda: show_of(slider))
    slider.value = 5
    assert "**five.png: cannot be read**" in texts(published)
    slider.value = 4
    assert "level 4" in texts(published)
