"""Decodes image files to RGB bytes, upright and on white where transparent; errors are one line."""

import importlib
import logging
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from grmp.errors import UserError

Image.init()  # a named format is found only once its module was imported
with suppress(ImportError):  # where it is installed
    importlib.import_module("pillow_heif").register_heif_opener()
with suppress(ImportError):  # registers itself
    importlib.import_module("pillow_jxl")
_OPENING = threading.Lock()  # warnings.catch_warnings swaps a global; two threads could leave it swapped
_log = logging.getLogger(__name__)


_WANTED = {"AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "JXL", "PNG", "PPM", "TGA", "TIFF", "WEBP"}
FORMATS = tuple(sorted(_WANTED & set(Image.OPEN)))
"""Pillow's names of what is read. Not all that Pillow knows: it would hand PostScript, for one, to a program. HEIF and
JXL need the packages pillow-heif and pillow-jxl-plugin."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What EXIF's orientations ask for. `ImageOps.exif_transpose` would also write all other tags anew, which fails where
one of them breaks its own rules."""
DNG_VERSION, NEW_SUBFILE_TYPE, BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE_VALUE = 50706, 254, 258, 262, 281  # of TIFF
DEPTHS = (8, 10, 12)
"""Bits that integers of 16 or 32 bits are taken to have where no value needs more, and the file does not say."""


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """An image file as `to_rgb` gives it; of an animation the first frame.

    Raises:
        UserError: missing, not an image of one of `FORMATS`, truncated, larger than Pillow's limit
            (`Image.MAX_IMAGE_PIXELS`, read from the header before anything is decoded), or of a kind whose white is
            unknown.
    """
    return _decode(path, path)


def decode_image(content: bytes, path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """As `read_image`, where the file's content is already here; errors name it by its `path`.

    Raises:
        UserError: as `read_image`.
    """
    return _decode(BytesIO(content), path)


def _decode(source: Path | BytesIO, path: Path) -> UInt8[np.ndarray, "height width 3"]:
    try:
        with open_image(source) as image:
            return to_rgb(image)
    except Exception as error:  # Pillow's decoders raise what they like: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{path}: cannot be read as an image ({reason(error)})") from None


def to_rgb(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels as RGB, turned as EXIF says, transparency laid over white, more than 8 bits scaled to 8.

    Integers of 16 or 32 bits that use 12 or fewer are scaled by those, with a logged warning where no tag says so.

    Raises:
        ValueError: numbers without a known white (floats, 32-bit integers), or a colour space that Pillow cannot turn
            into RGB. Pillow's own errors where the file behind the image is truncated.
    """
    deep = any(";16" in str(tile) for tile in image.tile) if isinstance(image, ImageFile.ImageFile) else False
    image.load()
    turn = None
    with suppress(Exception):  # broken EXIF counts as none; Pillow raises what it likes about it
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if deep and image.mode.startswith("RGB") and 0 < np.asarray(image)[..., :3].max() < 16:
        _log.warning("%s: nearly black; if it holds less than 16 bits, save it with 8", _name(image))
    image = _eight_bits(image)
    image = image if turn is None else image.transpose(turn)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def open_image(source: Path | BytesIO) -> Image.Image:
    """An image file, or its content, whose header has been read, and found to be of `FORMATS` and not too large.

    Raises:
        OSError, ValueError, and whatever else Pillow's decoders raise.
    """
    if isinstance(source, Path) and source.exists() and not source.is_file():
        raise ValueError("no regular file")  # a pipe would be waited for
    # Pillow refuses twice its limit, and only warns of less.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(source, formats=FORMATS)
    tags = _tags(image)
    if DNG_VERSION in tags or int(tags.get(NEW_SUBFILE_TYPE, 0)) & 1:
        image.close()
        raise ValueError("a camera's raw file, of which only a preview could be read; develop it first")
    return image


def _tags(image: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF; none of anything else."""
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "")) or "an image in memory"


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as the high 8 of its bits, which is how Pillow reads colour; anything else as it is."""
    if image.mode == "F":
        raise ValueError("floating-point numbers, whose white is unknown; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError("32-bit integers, whose white is unknown; save it with 8 or 16 bits")
    bits = _depth(image, int(values.max()))
    if _tags(image).get(PHOTOMETRIC) == 0 and image.mode != "I":  # white is 0, which Pillow minds up to 8 bits alone
        values = 2**bits - 1 - values
    return Image.fromarray((values >> (bits - 8)).clip(0, 255).astype(np.uint8))


def _depth(image: Image.Image, highest: int) -> int:
    """How many bits the values have: as the file's tags say, or else as few of `DEPTHS` as hold the highest value."""
    tags = _tags(image)
    told = min(tags.get(MAX_SAMPLE_VALUE, (0xFFFF,))[0].bit_length(), *tags.get(BITS_PER_SAMPLE, (16,)), 16)
    if 8 <= told < 16:
        return told
    bits = next((depth for depth in DEPTHS if 0 < highest < 2**depth), 16)
    if bits < 16:
        _log.warning("%s: no value is above %d, so it is taken to have %d bits", _name(image), highest, bits)
    return bits


def reason(error: Exception) -> str:
    """Why an image could not be read, in words."""
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels; scale it down first"
    if isinstance(error, UnidentifiedImageError):
        return "of no known format"
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
