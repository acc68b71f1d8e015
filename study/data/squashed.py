"""Whole images as squares, read from the disk whenever they are asked for: a set of thousands needs no memory."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from grmp.crops import squash, to_tensor
from grmp.io.decode import read_image


class Squashed(Sequence):
    """Images as squares of `side` pixels, antialiased, each straight from the file's own size."""

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.paths, self.side = list(paths), side

    def __len__(self) -> int:  # noqa: D105
        return len(self.paths)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 s s"]:
        """The image number `index`.

        Raises:
            UserError: it cannot be read.
        """
        return squash(to_tensor(read_image(self.paths[index])), self.side)

    def at(self, side: int) -> "Squashed":
        """The same images at another size."""
        return Squashed(self.paths, side)

    def state(self) -> list[tuple]:
        """What the images depend on, without reading them: names, sizes and times of their files, and the side."""
        files = ((path, path.stat()) for path in self.paths)
        return [(self.side,), *((path.as_posix(), about.st_size, about.st_mtime_ns) for path, about in files)]
