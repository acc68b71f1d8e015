"""The prior of the probe on disk."""

from collections.abc import Sequence
from pathlib import Path

import torch

from grmp.errors import UserError
from grmp.io.digest import digest
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import PromptedCLIP
from grmp.prior import Prior


def save(path: Path, prior: Prior, model: PromptedCLIP, blocks: Sequence[int]) -> None:
    """Keep a prior of embeddings that `model` has behind `blocks`."""
    write_tensors(path, vars(prior), _made_for(model, blocks))


def load(path: Path, model: PromptedCLIP, blocks: Sequence[int]) -> Prior:
    """Read what `save` kept, for the same prompts and blocks.

    Raises:
        UserError: the file is missing or truncated, holds something else, or was made for others.
    """
    about, kept = read_checkpoint(path)
    width, count = model.clip.visual.output_dim, len(blocks)
    if about != _made_for(model, blocks):
        raise UserError(
            f"{path}: was made for other prompts or other finetune.probe_blocks; `dvc repro pretrain` makes it anew"
        )
    if {name: tuple(value.shape) for name, value in kept.items()} != {
        "moved": (count, width, width),
        "direction": (count, width),
        "spread": (count,),
    } or not all(value.dtype == torch.float64 for value in kept.values()):
        raise UserError(f"{path}: holds no prior of {width} channels; `dvc repro pretrain` makes it")
    if kept["spread"].min() < 1e-12 or max(value.abs().max() for value in kept.values()) > 1e12:  # would overflow
        raise UserError(f"{path}: holds numbers that no embeddings have; `dvc repro pretrain` makes it anew")
    return Prior(**kept)


def _made_for(model: PromptedCLIP, blocks: Sequence[int]) -> dict[str, str]:
    return {"blocks": " ".join(map(str, blocks)), "prompts": digest(model.prompt_parameters())}
