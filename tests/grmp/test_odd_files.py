"""Files as cameras, scanners and microscopes write them: depth, white, broken tags, formats by content."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from grmp.errors import UserError
from grmp.io.decode import read_image

RAMP = np.linspace(0, 1, 64)[None].repeat(40, 0)
PHOTOMETRIC, ORIENTATION, MAX_SAMPLE_VALUE = 262, 274, 281


def write_grey(path: Path, values: np.ndarray, tags: dict[int, int] | None = None) -> Path:
    written = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in (tags or {}).items():
        written[tag] = value
    Image.fromarray(values).save(path, tiffinfo=written)
    return path


def set_photometric(path: Path, value: int) -> None:
    """Pillow writes its own; the entry is patched: tag 262, SHORT, one value."""
    content = path.read_bytes()
    entry = (PHOTOMETRIC).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    at = content.index(entry) + len(entry)
    path.write_bytes(content[:at] + value.to_bytes(2, "little") + content[at + 2 :])


def grey(path: Path) -> np.ndarray:
    return read_image(path)[0, :, 0]


def eight(bits: int) -> np.ndarray:
    return ((RAMP[0] * (2**bits - 1)).astype(int) >> (bits - 8)).astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_where_white_is_0_a_16_bit_tiff_is_no_negative(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "scan.tif"
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(path, compression=compression)
    np.testing.assert_array_equal(grey(path), eight(16))
    set_photometric(path, 0)
    np.testing.assert_array_equal(grey(path), 255 - eight(16))


@pytest.mark.parametrize(
    ("dtype", "bits"), [("uint16", 8), ("uint16", 10), ("uint16", 12), ("int32", 8), ("int32", 12)]
)
def test_integers_of_few_bits_are_scaled_by_them_with_a_warning(
    tmp_path: Path, dtype: str, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_grey(tmp_path / "a.tif", (RAMP * (2**bits - 1)).astype(dtype))
    np.testing.assert_array_equal(grey(path), eight(bits))
    (record,) = caplog.records
    assert record.getMessage() == f"{path}: no value is above {2**bits - 1}, so it is taken to have {bits} bits"


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_greatest_value_that_a_tag_names_is_white(
    tmp_path: Path, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    values = (RAMP * (2**bits - 1) / 8).astype(np.uint16)  # a dark picture
    path = write_grey(tmp_path / "a.tif", values, {MAX_SAMPLE_VALUE: 2**bits - 1})
    np.testing.assert_array_equal(grey(path), (values[0] >> (bits - 8)).astype(np.uint8))
    assert not caplog.records


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_16_bits_that_are_used_stay_as_they_are(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray((RAMP * 65535 / 8).astype(np.uint16)).save(tmp_path / name)
    np.testing.assert_array_equal(grey(tmp_path / name), (RAMP[0] * 65535 / 8).astype(int) >> 8)
    Image.fromarray(np.zeros((40, 64), np.uint16)).save(tmp_path / name)
    assert not grey(tmp_path / name).any()
    assert not caplog.records


def test_colour_of_12_bits_in_16_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cv2 = pytest.importorskip("cv2")
    for name, top, warned in (("dark.png", 4095, True), ("dark.tif", 4095, True), ("full.png", 65535, False)):
        caplog.clear()
        cv2.imwrite(str(tmp_path / name), (RAMP * top).astype(np.uint16)[..., None].repeat(3, -1))
        assert read_image(tmp_path / name).max() == top >> 8
        assert bool(caplog.records) == warned, name
        assert not warned or f"{tmp_path / name}: nearly black" in caplog.text


RATIONAL, SHORT, FLOAT, SIGNED = 5, 3, 11, 8


def broken_exif(kind: str) -> bytes:
    """Orientation 6, and a tag that no rule of EXIF allows to be written again."""
    entries = {
        "zero denominator": (282, RATIONAL, 1, None),
        "NaN": (40000, FLOAT, 1, np.float32("nan").tobytes()),
        "negative short": (40001, SIGNED, 1, (-5).to_bytes(2, "little", signed=True) + b"\0\0"),
    }
    tag, form, count, value = entries[kind]
    head = b"II*\0" + (8).to_bytes(4, "little") + (2).to_bytes(2, "little")
    after = 8 + 2 + 2 * 12 + 4
    first = (274).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little") + b"\6\0\0\0"
    second = tag.to_bytes(2, "little") + form.to_bytes(2, "little") + count.to_bytes(4, "little")
    second += after.to_bytes(4, "little") if value is None else value
    tail = (72).to_bytes(4, "little") + (0).to_bytes(4, "little")
    return b"Exif\0\0" + head + first + second + bytes(4) + tail


@pytest.mark.parametrize("kind", ["zero denominator", "NaN", "negative short"])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_photograph_with_broken_exif_is_read_and_turned(tmp_path: Path, kind: str, ending: str) -> None:
    image = Image.new("RGB", (60, 40))
    image.paste((255, 255, 255), (0, 0, 60, 20))  # the upper half is white
    image.save(tmp_path / f"a.{ending}", exif=broken_exif(kind))
    upright = read_image(tmp_path / f"a.{ending}")
    assert upright.shape == (60, 40, 3)
    assert upright[:, 25:].min() > 200
    assert upright[:, :15].max() < 50


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_every_orientation_is_turned_as_pillow_does(tmp_path: Path, turn: int, ending: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[ORIENTATION] = turn
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a.{ending}", exif=exif)
    with Image.open(tmp_path / f"a.{ending}") as image:
        np.testing.assert_array_equal(read_image(tmp_path / f"a.{ending}"), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_exif_that_is_no_exif_leaves_the_photograph_as_it_is(tmp_path: Path, exif: bytes) -> None:
    Image.new("RGB", (60, 40), "white").save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (40, 60, 3)


@pytest.mark.parametrize("tags", [{50706: 1}, {254: 1}])
def test_the_preview_of_a_raw_file_is_not_taken_for_it(tmp_path: Path, tags: dict[int, int]) -> None:
    path = write_grey(tmp_path / "a.tif", (RAMP * 255).astype(np.uint8), tags)
    path = path.rename(tmp_path / "a.dng")
    with pytest.raises(UserError, match="raw file"):
        read_image(path)


def test_no_format_of_a_plugin_that_is_missing_is_asked_for() -> None:
    from grmp.io.decode import FORMATS

    assert set(FORMATS) <= set(Image.OPEN)
    assert {"JPEG", "PNG", "TIFF"} <= set(FORMATS)
    assert "EPS" not in FORMATS
