"""The pretrained CLIP: obtained, verified, and kept as one safetensors file with its configuration."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open_clip import CLIP
from open_clip.model import resize_pos_embed
from open_clip.transformer import VisionTransformer

from grmp.errors import UserError, is_want_of_memory
from grmp.io.architecture import check_describes
from grmp.io.identity import check, identify
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.settings import Backbone


def refuse_others(config: dict, name: str) -> None:
    """See that a configuration is a plain CLIP's: for another, open_clip would ask a model hub for a tower by name.

    Raises:
        UserError: it is not.
    """
    if config.get("custom_text") or "timm_model_name" in config["vision_cfg"] or "hf_model_name" in config["text_cfg"]:
        raise UserError(f"params.yaml: backbone.name: `{name}` is not a plain CLIP ViT; try ViT-B-16-quickgelu")


def build(config: dict, crop: int | None = None) -> CLIP:
    """An untrained CLIP of this architecture for square crops of `crop` pixels (the pre-training's by default)."""
    config = copy.deepcopy(config)
    try:
        check(config)
    except ValueError as error:
        raise UserError(f"the checkpoint's configuration {error}; make it anew") from None
    refuse_others(config, "the checkpoint's")
    if crop is not None:
        config["vision_cfg"]["image_size"] = crop
    clip = CLIP(**config)
    if not isinstance(clip.visual, VisionTransformer):
        raise UserError("params.yaml: backbone.name: its image tower is no vision transformer; try ViT-B-16-quickgelu")
    return clip


def save(path: Path, clip: CLIP, config: dict, backbone: Backbone) -> None:
    """Write weights and what they are to one safetensors file."""
    about = {"config": json.dumps(config), "backbone": backbone.model_dump_json()}
    write_tensors(path, dict(clip.state_dict()), about)


def load(path: Path, crop: int) -> CLIP:
    """The CLIP kept at `path`, for crops of `crop` pixels (positions interpolated), frozen and in evaluation mode.

    Raises:
        UserError: the file is missing, truncated, or of another architecture.
    """
    config, _ = identify(path)
    _, state = read_checkpoint(path)
    with named(str(path)):
        check_describes(lambda: build(config), state)
        clip = build(config, crop)
        resize_pos_embed(state, clip)
        clip.load_state_dict(state)
    return clip.eval().requires_grad_(False)


@contextmanager
def named(source: str) -> Iterator[None]:
    """Errors of weights that do not fit name their `source`."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if is_want_of_memory(type(error).__name__, str(error)):
            raise
        detail = " ".join(str(error).split())[:160]
        raise UserError(f"{source}: a checkpoint of another architecture ({detail}...)") from None
