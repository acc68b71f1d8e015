"""Decodes image files to RGB bytes, upright and on white where transparent; errors are one line."""

import threading
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from grmp.errors import UserError

Image.init()  # a named format is found only once its module was imported
_OPENING = threading.Lock()  # warnings.catch_warnings swaps a global; two threads could leave it swapped


FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""Pillow's names of what is read. Not all that Pillow knows: it would hand PostScript, for one, to a program."""


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
    """The pixels as RGB, turned as EXIF says, transparency laid over white, 16 bits scaled to 8.

    Raises:
        ValueError: numbers without a known white (floats, 32-bit integers), or a colour space that Pillow cannot turn
            into RGB. Pillow's own errors where the file behind the image is truncated.
    """
    image = _eight_bits(ImageOps.exif_transpose(image))
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
        return Image.open(source, formats=FORMATS)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as its high bytes, which is how Pillow reads colour of 16 bits; anything else as it is."""
    if image.mode == "F":
        raise ValueError("floating-point numbers, whose white is unknown; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError("32-bit integers, whose white is unknown; save it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def reason(error: Exception) -> str:
    """Why an image could not be read, in words."""
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels; scale it down first"
    if isinstance(error, UnidentifiedImageError):
        return "of no known format"
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
