import base64
import io

import numpy as np
import pytest
from PIL import Image

from study.reports.thumbnails import data_uri, small, top


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_a_picture_comes_back_from_its_uri() -> None:
    picture = Image.fromarray(np.full((20, 30, 3), (200, 60, 40), dtype=np.uint8))
    back = np.asarray(decoded(data_uri(picture)).convert("RGB")).astype(int)
    assert back.shape == (20, 30, 3)
    assert np.abs(back - (200, 60, 40)).max() < 8


def test_a_photograph_of_128_pixels_is_a_few_kilobytes() -> None:
    noise = np.random.default_rng(0).normal(128, 12, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    assert len(data_uri(Image.fromarray(noise), quality=70)) < 8_000
    assert data_uri(Image.fromarray(noise)) == data_uri(Image.fromarray(noise))


@pytest.mark.parametrize("size", [(100, 400), (400, 100), (60, 60)])
def test_top_has_the_size_asked_for_and_keeps_the_first_rows(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "blue")
    picture.paste("red", (0, 0, size[0], size[1] // 4))
    cut = top(picture, 80, 50)
    assert cut.size == (80, 50)
    column = np.asarray(cut)[:, 40].astype(int)
    assert column[:, 0].max() > 200  # red is there
    if size[0] < size[1]:
        assert (column[:20, 0] > 200).all()


def test_what_is_transparent_becomes_white() -> None:
    assert top(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 8, 8).getpixel((4, 4)) == (255, 255, 255)


def test_small_keeps_the_shape_and_never_enlarges() -> None:
    assert small(Image.new("RGB", (400, 200)), 100).size == (100, 50)
    assert small(Image.new("RGB", (40, 20)), 100).size == (40, 20)
