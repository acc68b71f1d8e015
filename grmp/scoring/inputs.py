"""What a user gives to be scored: files, folders and patterns, or images in memory."""

import glob
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from grmp.crops import to_tensor
from grmp.errors import UserError, one_line
from grmp.io.decode import open_image, read_image, to_rgb

_log = logging.getLogger(__name__)

Source = str | Path | Image.Image | UInt8[np.ndarray, "h w 3"]
"""An image: a file's path, a Pillow image, or RGB bytes."""
SUFFIXES = frozenset(
    [".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"]
)
"""What counts as an image in a folder unread; other endings are looked into, and hold for one what can be opened."""
MOST_NAMED = 10  # of the files that are left out
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
    named = str(source) if isinstance(source, str | Path) else getattr(source, "filename", "")
    return named or f"an image in memory ({type(source).__name__})"


def find_images(given: Iterable[str | Path]) -> list[Path]:
    """Files in the order given, each once; a folder stands for the images below it, a pattern for what it matches.

    Within a folder and for a pattern the order is that of the names. Folders are searched through links too; hidden
    files are left out, and so is what is no image, of which a warning is logged. What is not there, or is a link to
    nothing, stays in the list: whoever reads it says so.

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
        matches = _matches(path)
        if not matches:
            raise UserError(f"{text}: matches no file")
        for match in matches:
            yield from _below(match) if match.is_dir() else [match]


def _matches(pattern: Path) -> list[Path]:
    """What a pattern matches: as far as it names a folder that exists, its brackets and stars are that folder's."""
    folder, rest = Path(pattern.anchor), list(pattern.parts[bool(pattern.anchor) :])
    while (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    return sorted(folder / match for match in glob.glob(os.path.join(*rest), root_dir=folder, recursive=True))


def _below(folder: Path) -> list[Path]:
    files = sorted(_walk(folder))
    left_out = [path for path in files if path.exists() and not _is_image(path)]
    if left_out:
        shown = ", ".join(str(path.relative_to(folder)) for path in left_out[:MOST_NAMED])
        more = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        _log.warning("%s", one_line(f"{len(left_out)} files left out: no image that can be read: {shown}{more}"))
    found = sorted({*files} - {*left_out})
    if not found:
        raise UserError(f"{folder}: holds no image")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """All files that are not hidden; each real folder once, links to folders last. A locked folder counts as a file."""
    ahead, seen = deque([str(folder)]), set()
    locked: list[OSError] = []
    while ahead:
        for place, folders, names in os.walk(ahead.popleft(), onerror=locked.append):
            real, folders[:] = os.path.realpath(place), [name for name in folders if not name.startswith(".")]
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            ahead.extend(path for name in folders if os.path.islink(path := os.path.join(place, name)))
            yield from (Path(place, name) for name in names if not name.startswith("."))
    yield from (Path(error.filename) for error in locked)


def _is_image(path: Path) -> bool:
    """By its ending, where that is a usual one, or else by its content; what is no regular file is none."""
    if path.is_dir() or (path.suffix.lower() in SUFFIXES and path.is_file()):
        return True
    try:
        open_image(path).close()
    except Exception:  # Pillow's decoders raise what they like
        return False
    return True
