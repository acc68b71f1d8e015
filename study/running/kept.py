"""Training states and finished repeats, from which an interrupted stage resumes.

It lies outside of DVC's outputs, which DVC removes before a stage runs, and is found again only where everything that
it depends on is the same to the last bit: settings, tensors, the library's code, torch's version and threads.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from grmp.errors import UserError
from grmp.io.digest import digest
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.progress import MARK

KEPT = Path("artifacts/kept")
REPEATS = KEPT / "repeats"
ROOT = Path(__file__).parents[2]
SOURCES = ("grmp/*.py", "grmp/io/*.py", "study/data/**/*.py", "study/stages/*.py")
"""What computes; the sources of reports are not among them."""


@cache
def sources() -> str:
    """A digest of what computes besides the data: the sources, torch, and its number of threads."""
    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    texts = [path.read_text(encoding="utf-8") for path in files]
    return digest(texts, torch.__version__, torch.get_num_threads())


class KeptFile:
    """One safetensors file, read only by whoever depends on the same as its writer (a `grmp.training.Store`).

    Args:
        path: of the file; a writer that depends on other things replaces it.
        depends: all that its content depends on, besides `sources`.
        training: name of the training whose state it is, said to the terminal when it goes on from there.
    """

    def __init__(self, path: Path, *depends: object, training: str | None = None) -> None:
        self.path, self.key, self.training = path, digest(sources(), depends), training

    def read(self) -> tuple[dict[str, str], dict[str, Tensor]] | None:
        """Texts and tensors as they were written; None where there is no whole file of this key."""
        with suppress(UserError):
            about, tensors = read_checkpoint(self.path)
            if about.pop("key", None) == self.key:
                if self.training:
                    print(f"{MARK}{self.training}: goes on where it was interrupted", flush=True)
                return about, tensors
        return None

    def write(self, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """Keep tensors and texts in the place of the last ones.

        Raises:
            UserError: the file cannot be written.
        """
        write_tensors(self.path, tensors, {"key": self.key, **about})


def kept_training(name: str, *depends: object, folder: Path = KEPT) -> KeptFile:
    """Where the state of the training `name` is kept."""
    return KeptFile(folder / f"{name}.safetensors", *depends, training=name)
