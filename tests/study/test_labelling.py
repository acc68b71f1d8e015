"""Scoring images in a browser: the table, the page's requests, and the page itself where a browser is."""

import io
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grmp.errors import UserError
from study.labelling.__main__ import serve
from study.labelling.ratings import Ratings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def ratings(tmp_path: Path) -> Ratings:
    """Three images, the second of which has a score, and a column of the user's own."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    for name, image in zip("abc", pixels):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "ratings.csv").write_text("image,mos,note\na.png,,x\nb.png,4,\nc.png,,\n")
    return Ratings(tmp_path / "ratings.csv", tmp_path)


@pytest.fixture
def address(ratings: Ratings) -> Iterator[str]:
    server, address = serve(ratings)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def saved(ratings: Ratings) -> list[str]:
    return pd.read_csv(ratings.table, dtype=str, keep_default_na=False)["mos"].tolist()


def ask(url: str, content: dict | None = None) -> dict:
    data = None if content is None else json.dumps(content).encode()
    with urllib.request.urlopen(url, data=data) as found:
        return json.loads(found.read())


def test_scores_are_saved_at_once_and_taken_back_in_turn(ratings: Ratings) -> None:
    ratings.give("a.png", 2)
    assert saved(ratings) == ["2", "4", ""]
    ratings.give("c.png", 5)
    assert saved(ratings) == ["2", "4", "5"]
    assert ratings.current is None
    ratings.undo()
    ratings.undo()
    ratings.undo()  # what stood there before stays
    assert saved(ratings) == ["", "4", ""]
    assert pd.read_csv(ratings.table)["note"].tolist()[0] == "x"


def test_a_key_that_is_pressed_twice_counts_once(ratings: Ratings) -> None:
    ratings.give("a.png", 2)
    ratings.give("a.png", 3)
    assert saved(ratings) == ["2", "4", ""]


def test_a_later_start_goes_on(ratings: Ratings) -> None:
    ratings.give("a.png", 2)
    assert Ratings(ratings.table, ratings.folder).path().name == "c.png"


def test_other_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("image,score\na.png,1\n")
    with pytest.raises(UserError, match="column `mos` is missing"):
        Ratings(tmp_path / "other.csv", tmp_path)
    (tmp_path / "out.csv").write_text("image,mos\n../a.png,1\n")
    with pytest.raises(UserError, match="lead out of"):
        Ratings(tmp_path / "out.csv", tmp_path)


def test_the_page_asks_for_images_and_gives_scores(ratings: Ratings, address: str) -> None:
    assert b"Label images" in urllib.request.urlopen(address).read()
    assert ask(f"{address}state") == {"image": "a.png", "done": 1, "total": 3}
    shown = Image.open(io.BytesIO(urllib.request.urlopen(f"{address}image?a.png").read()))
    assert np.array_equal(np.asarray(shown), np.asarray(Image.open(ratings.folder / "a.png")))
    assert ask(f"{address}give", {"image": "a.png", "score": 1}) == {"image": "c.png", "done": 2, "total": 3}
    assert ask(f"{address}undo", {}) == {"image": "a.png", "done": 1, "total": 3}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("give", {"image": "a.png", "score": 6}),
        ("give", {"image": "a.png"}),
        ("give", [1]),
        ("give", None),
        ("undo", None),
        ("other", None),
    ],
)
def test_other_requests_change_nothing(ratings: Ratings, address: str, path: str, content: object) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(f"{address}{path}", content)
    assert saved(ratings) == ["", "4", ""]


def test_who_does_not_know_the_secret_gets_nothing(ratings: Ratings, address: str) -> None:
    root = address.rsplit("/", 2)[0]
    for path in ("/", "/state", "/give", "/wrong/give"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(f"{root}{path}", {"image": "a.png", "score": 1})
    assert saved(ratings) == ["", "4", ""]


def test_an_image_that_cannot_be_read_is_told(ratings: Ratings, address: str) -> None:
    (ratings.folder / "a.png").write_bytes(b"no image")
    with pytest.raises(urllib.error.HTTPError, match="500") as error:
        urllib.request.urlopen(f"{address}image")
    assert "a.png" in error.value.read().decode()


@pytest.mark.skipif(CHROMIUM is None, reason="no browser here; the Debian package chromium has one")
def test_keys_score_and_take_back_in_a_browser(ratings: Ratings, address: str) -> None:
    browsers = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("1 of 3 scored").wait_for()
        page.keyboard.press("3")
        page.get_by_text("2 of 3 scored").wait_for()
        page.keyboard.press("z")
        page.get_by_text("1 of 3 scored").wait_for()
        page.get_by_role("button", name="5 excellent").click()
        page.get_by_text("2 of 3 scored").wait_for()
        page.keyboard.press("1")
        page.get_by_text("All 3 have a score").wait_for()
        browser.close()
    assert saved(ratings) == ["5", "4", "1"]
