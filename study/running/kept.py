"""Training states and finished repeats, from which an interrupted stage resumes.

It lies outside of DVC's outputs, which DVC removes before a stage runs, and is found again only where everything that
it depends on is the same to the last bit: settings, tensors, the code that runs, torch's version and threads.
"""

from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from grmp.errors import UserError
from grmp.io.digest import digest
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.progress import MARK
from study.running.sources import digest_of

KEPT = Path("artifacts/kept")
REPEATS = KEPT / "repeats"


class KeptFile:
    """One safetensors file, read only by whoever depends on the same as its writer (a `grmp.training.Store`).

    Args:
        path: of the file; a writer that depends on other things replaces it.
        code: the module that computes its content, such as study.stages.tuning.
        depends: all that its content depends on, besides that code, torch and its number of threads.
        training: name of the training whose state it is, said to the terminal when it goes on from there.
    """

    def __init__(self, path: Path, code: str, *depends: object, training: str | None = None) -> None:
        self.key = digest(digest_of(code), torch.__version__, torch.get_num_threads(), depends)
        self.path, self.training = path, training

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


def kept_training(name: str, code: str, *depends: object, folder: Path = KEPT) -> KeptFile:
    """Where the state of the training `name` is kept, which the module `code` runs."""
    return KeptFile(folder / f"{name}.safetensors", code, *depends, training=name)
