import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import read_image, to_rgb


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_image(path)
    assert str(error.value).startswith(f"{path}: cannot be read as an image (")
    assert "\n" not in str(error.value)
    return str(error.value)


def as_before(path: Path) -> np.ndarray:
    """What Pillow itself makes of an opaque image of 8 bits."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("mode", "name"), [("RGB", "a.png"), ("RGB", "a.jpg"), ("L", "a.png"), ("L", "a.jpg")])
def test_eight_bits_come_as_pillow_gives_them(tmp_path: Path, noise: np.ndarray, mode: str, name: str) -> None:
    Image.fromarray(noise[..., :3]).convert(mode).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name), as_before(tmp_path / name))


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_cmyk_comes_as_pillow_gives_it(tmp_path: Path, noise: np.ndarray, name: str) -> None:
    Image.fromarray(noise, mode="CMYK").save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name), as_before(tmp_path / name))


def test_truncated_jpegs_are_named_wherever_they_end(tmp_path: Path, noise: np.ndarray) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise[..., :3]).save(path)
    content = path.read_bytes()
    for end in range(0, len(content) - 2, 97):
        path.write_bytes(content[:end])
        complaint(path)


@pytest.mark.parametrize("ending", ["png", "webp"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.95])
def test_a_truncated_photograph_is_named(tmp_path: Path, ending: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(noise).save(path)
    assert read_image(path).shape == (40, 60, 3)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(UserError, match=rf"photo\.{ending}: cannot be read as an image"):
        read_image(path)


def test_a_turned_photograph_comes_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8))
    image.paste((255, 255, 255), (0, 0, 30, 10))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    upright = read_image(tmp_path / "turned.png")
    assert upright.shape == (30, 20, 3)
    assert (upright[:, 10:] == 255).all()
    assert (upright[:, :10] == 0).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_other_colour_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (8, 8), (204, 204, 204)).convert(mode).save(path)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert (image == 204).all()


def test_one_bit_becomes_black_and_white(tmp_path: Path, noise: np.ndarray) -> None:
    bits = noise[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    with Image.open(tmp_path / "bits.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png")[..., 1], bits * np.uint8(255))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    pixels = Image.new("RGBA", (3, 1), (100, 100, 100, 255))
    pixels.putpixel((1, 0), (100, 100, 100, 0))
    pixels.putpixel((2, 0), (100, 100, 100, 128))
    pixels.convert(mode).save(tmp_path / "a.png")
    half = round(100 * 128 / 255 + 255 * 127 / 255)
    found = read_image(tmp_path / "a.png")[0, :, 0].astype(int)
    assert found[:2].tolist() == [100, 255]
    assert abs(found[2] - half) <= 1


def test_an_opaque_alpha_channel_changes_nothing(tmp_path: Path, noise: np.ndarray) -> None:
    noise[..., 3] = 255
    Image.fromarray(noise).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), noise[..., :3])


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_transparent_palette_entry_is_white(tmp_path: Path, name: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / name, transparency=1)
    assert read_image(tmp_path / name)[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_a_transparent_colour_is_white(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (40, 50, 60))
    image.save(tmp_path / "a.png", transparency=(40, 50, 60))
    assert read_image(tmp_path / "a.png")[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_a_palette_with_alpha_is_laid_over_white() -> None:
    palette = Image.new("RGBA", (2, 1), (10, 20, 30, 0)).convert("PA")
    assert (to_rgb(palette) == 255).all()


@pytest.mark.parametrize("name", ["ramp.png", "ramp.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path, name: str, channels: int) -> None:
    ramp = np.repeat(np.linspace(0, 65535, 4096).astype(np.uint16)[None], 2, axis=0)
    cv2.imwrite(str(tmp_path / name), np.repeat(ramp[..., None], channels, axis=2))
    found = read_image(tmp_path / name)[0, :, 0].astype(int)
    assert (found[0], found[-1]) == (0, 255)
    assert (np.diff(found) >= 0).all()
    assert set(found) == set(range(256))


def test_grey_of_sixteen_bits_is_what_colour_of_sixteen_bits_is(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 65536, (9, 9), dtype=np.uint16)
    for name, pixels in (("grey.png", grey), ("colour.png", np.repeat(grey[..., None], 3, axis=2))):
        cv2.imwrite(str(tmp_path / name), pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), read_image(tmp_path / "colour.png"))


def test_mode_i_of_sixteen_bits_is_scaled_too(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 65535\n" + struct.pack(">3H", 0, 32768, 65535))
    with Image.open(tmp_path / "a.pgm") as image:
        assert image.mode.startswith("I")
    assert read_image(tmp_path / "a.pgm")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_whose_white_is_unknown_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.full((4, 4), 70000, dtype=kind)).save(tmp_path / "a.tif")
    assert "white is unknown" in complaint(tmp_path / "a.tif")


def test_sixteen_bits_are_turned_upright_as_well(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((2, 5), 65535, dtype=np.uint16)).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png").shape == (5, 2, 3)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (8, 8), (shade, shade, shade)) for shade in (0, 255, 0)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(tmp_path / name) as image:
        assert image.n_frames == 3
    assert (read_image(tmp_path / name) == 0).all()


@pytest.mark.parametrize("content", [b"", b"just a text\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_named_whatever_its_ending(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.png"
    path.write_bytes(content)
    assert str(path) not in complaint(path).removeprefix(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in complaint(tmp_path / "none.png")


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG whose header promises many pixels, and which holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow itself would only warn of the first
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    assert f"more than {limit:,} pixels" in complaint(bomb(tmp_path / "bomb.png", side, side))
    assert (Image.MAX_IMAGE_PIXELS, warnings.filters) == (limit, filters)


def test_many_threads_leave_the_warnings_as_they_were(tmp_path: Path, noise: np.ndarray) -> None:
    Image.fromarray(noise[..., :3]).save(tmp_path / "a.png")
    filters, shapes = list(warnings.filters), []
    threads = [
        threading.Thread(target=lambda: shapes.extend(read_image(tmp_path / "a.png").shape for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == [(40, 60, 3)] * 40
    assert warnings.filters == filters


def test_formats_that_pillow_would_hand_to_a_program_are_not_read(tmp_path: Path, noise: np.ndarray) -> None:
    Image.fromarray(noise[..., :3]).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    assert "of no known format" in complaint(tmp_path / "a.png")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "no regular file" in complaint(tmp_path / "a.png")
