"""Near-duplicates: photographs of one content, which must not be on both sides of a split."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt64
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grmp.errors import UserError
from grmp.io.decode import open_image, reason
from study.data.track import track

DISTANCE = 6
"""Most bits in which hashes of one content differ. On LIVEC, the three pairs up to 6 are the same scene twice; from 7
on most pairs only share a layout."""
_ROWS = 1024  # hashes compared with all others at once, to bound memory


def difference_hash(path: Path) -> np.uint64:
    """64 bits of an image: is each of 8 x 8 places brighter than its left neighbour (Krawetz's dHash)?

    Raises:
        UserError: as `grmp.io.decode.read_image`.
    """
    try:
        with open_image(path) as image:
            image.draft("L", (72, 64))  # JPEG decodes at a fraction of its size, many times faster
            small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    except Exception as error:  # Pillow's decoders raise what they like
        raise UserError(f"{path}: cannot be read as an image ({reason(error)})") from None
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)[0]


def hash_images(folder: Path, names: Iterable[str]) -> UInt64[np.ndarray, " n"]:
    """The hashes of the images `names` below `folder`.

    Raises:
        UserError: an image cannot be read.
    """
    return np.array([difference_hash(folder / name) for name in track(list(names), "hash")], dtype=np.uint64)


def group_alike(hashes: UInt64[np.ndarray, " n"], distance: int = DISTANCE) -> Int[np.ndarray, " n"]:
    """A number for each hash, equal where a chain of hashes, each within `distance` bits of the next, joins them."""
    pairs = [_pairs(hashes, start, distance) for start in range(0, len(hashes), _ROWS)]
    rows, columns = np.concatenate(pairs, axis=1)
    joined = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(hashes), len(hashes)))
    return connected_components(joined, directed=False)[1]


def _pairs(hashes: UInt64[np.ndarray, " n"], start: int, distance: int) -> Int[np.ndarray, "2 pairs"]:
    rows, columns = np.nonzero(np.bitwise_count(hashes[start : start + _ROWS, None] ^ hashes) <= distance)
    return np.stack([rows + start, columns])
