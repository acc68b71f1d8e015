"""What a user gives to be scored: files, folders and patterns, or images in memory."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from grmp.crops import to_tensor
from grmp.errors import UserError
from grmp.io.decode import read_image, to_rgb

Source = str | Path | Image.Image | UInt8[np.ndarray, "h w 3"]
"""An image: a file's path, a Pillow image, or RGB bytes."""
SUFFIXES = frozenset(
    [".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"]
)
"""What counts as an image in a folder; a file that is named itself may have any ending."""
SMALLEST_SIDE = 32
"""Pixels; of less there is nothing to judge."""
LONGEST = 20
"""Times the shorter side; a longer strip, enlarged to the model's input, would take memory without bound."""


def read_input(source: Source) -> UInt8[Tensor, "3 h w"]:
    """An image in its own pixels: RGB, upright.

    Raises:
        UserError: an unreadable file (by its name), or no image of an acceptable shape.
    """
    pixels = _pixels(source)
    short, long = sorted(pixels.shape[:2])
    if short < SMALLEST_SIDE or long > LONGEST * short:
        raise UserError(
            f"{_name(source)}: {pixels.shape[1]} x {pixels.shape[0]} pixels cannot be judged; the shorter side must "
            f"have {SMALLEST_SIDE} or more, and the longer one at most {LONGEST} times as many"
        )
    return to_tensor(pixels)


def _pixels(source: Source) -> UInt8[np.ndarray, "h w 3"]:
    if isinstance(source, str | Path):
        return read_image(Path(source))
    if isinstance(source, Image.Image):
        try:
            return to_rgb(source)
        except Exception as error:  # Pillow's decoders raise what they like, when a lazy image is first read
            raise UserError(f"{_name(source)}: cannot be read ({error})") from None
    if not (isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.shape[2:] == (3,)):
        raise UserError(
            f"{_name(source)}: is no image; give a path, a Pillow image, or uint8 of shape (height, width, 3)"
        )
    return source


def _name(source: Source) -> str:
    if isinstance(source, str | Path):
        return str(source)
    return getattr(source, "filename", "") or f"an image in memory ({type(source).__name__})"


def find_images(given: Iterable[str | Path]) -> list[Path]:
    """Files in the order given, each once; a folder stands for the images below it, a pattern for what it matches.

    Within a folder and for a pattern the order is that of the names; hidden files are left out. A file that is not
    there stays in the list: whoever reads it says so.

    Raises:
        UserError: a folder without images, or a pattern that matches nothing.
    """
    return list(dict.fromkeys(path for text in given for path in _expanded(str(text))))


def _expanded(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        yield from _below(path)
    elif path.exists() or not glob.has_magic(text):
        yield path
    else:
        matches = sorted(glob.glob(text, recursive=True))
        if not matches:
            raise UserError(f"{text}: matches no file")
        for match in map(Path, matches):
            yield from _below(match) if match.is_dir() else [match]


def _below(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise UserError(f"{folder}: holds no image (looked for {', '.join(sorted(SUFFIXES))})")
    return found
