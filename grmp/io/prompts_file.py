"""Trained prompts on disk."""

from pathlib import Path

from open_clip import CLIP

from grmp.errors import UserError
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import PromptedCLIP, prompted
from grmp.settings import Prompts


def save_prompts(path: Path, model: PromptedCLIP) -> None:
    """Keep the prompts of both towers."""
    write_tensors(path, model.prompt_parameters())


def load_prompts(path: Path, clip: CLIP, settings: Prompts) -> PromptedCLIP:
    """`clip` with the prompts kept at `path`.

    Raises:
        UserError: the file is missing, truncated, or holds prompts of other sizes than `settings` asks for.
    """
    model = prompted(clip, settings)
    _, kept = read_checkpoint(path)
    wanted = {name: tuple(value.shape) for name, value in model.prompt_parameters().items()}
    if wanted != {name: tuple(value.shape) for name, value in kept.items()}:
        raise UserError(
            f"{path}: prompts of other sizes than params.yaml: prompts asks for; `dvc repro` makes them anew"
        )
    model.load_state_dict(kept, strict=False)
    return model
