import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from study.reports.photo_figures import (
    captioned_sheet,
    centre_square,
    contact_sheet,
    data_uri,
    distortion_names,
    prediction_grid,
    save_png,
    small,
)


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


def test_small_keeps_the_shape_and_never_enlarges() -> None:
    assert small(Image.new("RGB", (400, 200)), 100).size == (100, 50)
    assert small(Image.new("RGB", (40, 20)), 100).size == (40, 20)


def test_contact_sheet_has_a_cell_per_image_and_bears_short_rows() -> None:
    image = np.zeros((8, 12, 3), dtype=np.uint8)
    figure = contact_sheet([[image] * 3, [image]], ["blur", "noise"], ["1", "2", "3"])
    assert sum(len(axes.images) for axes in figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes[:3]] == ["1", "2", "3"]


def test_prediction_grid_puts_the_nearest_above_and_the_farthest_below() -> None:
    images = [np.full((8, 8, 3), shade, dtype=np.uint8) for shade in range(5)]
    predicted, true = np.array([1, 2, 3, 4, 5.0]), np.array([1, 2.5, 3.1, 1, 3.0])
    axes = prediction_grid(images, predicted, true, ["a", "b", "c", "d", "e"], each=2).axes
    assert [cell.images[0].get_array()[0, 0, 0] for cell in axes] == [0, 2, 3, 4]
    assert axes[2].get_xlabel() == "predicted 4.00\ntrue 1.00"


def test_captions_stand_above_their_images() -> None:
    images = [np.full((8, 12, 3), shade, dtype=np.uint8) for shade in range(5)]
    axes = captioned_sheet(images, list("abcde"), columns=3).axes
    shown = [(cell.get_title(), cell.images[0].get_array()[0, 0, 0]) for cell in axes if cell.images]
    assert shown == [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]


def test_the_centre_square_is_cut_from_the_middle() -> None:
    image = np.arange(5)[None, :, None] * np.ones((3, 1, 3))
    assert centre_square(image)[0, :, 0].tolist() == [1, 2, 3]


def test_distortions_are_named_in_their_order() -> None:
    assert distortion_names("7+1").split(", ")[1] == distortion_names("1")


def test_a_saved_figure_is_a_whole_png(tmp_path: Path) -> None:
    path = tmp_path / "new/curves.png"
    save_png(path, contact_sheet([[np.zeros((4, 4, 3))]], ["a"], ["b"]))
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
    assert list(path.parent.iterdir()) == [path]
