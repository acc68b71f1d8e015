"""The pretrained CLIP: obtained, verified, and kept as one safetensors file with its configuration."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
from open_clip import CLIP
from open_clip.model import resize_pos_embed
from open_clip.transformer import VisionTransformer

from grmp.errors import UserError, is_want_of_memory
from grmp.io.architecture import check, check_describes
from grmp.io.onnx_tower import PACKAGE, VERSION, download_state
from grmp.io.tensors import read_about, read_checkpoint, write_tensors
from grmp.settings import Align, Backbone

VOCABULARY = 49408  # of CLIP's tokenizer


def architecture(backbone: Backbone, align: Align) -> dict:
    """open_clip's configuration: that of `backbone.name`, with the compact text tower where it is `embedded`.

    Raises:
        UserError: open_clip knows no such model, or it is no CLIP with two plain transformers.
    """
    if own := _own_config(backbone):
        return own
    config = copy.deepcopy(open_clip.get_model_config(backbone.name))
    if config is None:
        raise UserError(f"params.yaml: backbone.name: open_clip knows no `{backbone.name}`; try ViT-B-16-quickgelu")
    _refuse_others(config, backbone.name)
    if backbone.source == "embedded":
        if backbone.name != "ViT-B-16-quickgelu":
            raise UserError(
                "params.yaml: backbone.name: the embedded image tower is a ViT-B-16-quickgelu, nothing else"
            )
        fields = {name: getattr(align, name) for name in ("width", "layers", "heads", "context_length")}
        config["text_cfg"] = {**fields, "vocab_size": VOCABULARY}
    return config


def _refuse_others(config: dict, name: str) -> None:
    # A configuration may come out of somebody's file, and open_clip would ask a model hub for a tower that it names.
    if config.get("custom_text") or "timm_model_name" in config["vision_cfg"] or "hf_model_name" in config["text_cfg"]:
        raise UserError(f"params.yaml: backbone.name: `{name}` is not a plain CLIP ViT; try ViT-B-16-quickgelu")


def _own_config(backbone: Backbone) -> dict | None:
    """The configuration inside a checkpoint that `save` wrote; None for any other file."""
    path = Path(backbone.weights or "")
    if backbone.source != "local" or path.suffix != ".safetensors" or not path.is_file():
        return None
    return identify(path)[0] if "config" in read_about(path) else None


def build(config: dict, crop: int | None = None) -> CLIP:
    """An untrained CLIP of this architecture for square crops of `crop` pixels (the pre-training's by default)."""
    config = copy.deepcopy(config)
    try:
        check(config)
    except ValueError as error:
        raise UserError(f"the checkpoint's configuration {error}; make it anew") from None
    _refuse_others(config, "the checkpoint's")
    if crop is not None:
        config["vision_cfg"]["image_size"] = crop
    clip = CLIP(**config)
    if not isinstance(clip.visual, VisionTransformer):
        raise UserError("params.yaml: backbone.name: its image tower is no vision transformer; try ViT-B-16-quickgelu")
    return clip


def obtain(backbone: Backbone, align: Align) -> tuple[CLIP, dict]:
    """The pretrained CLIP and its configuration; the `embedded` one still has an untrained text tower.

    Raises:
        UserError: hub or registry out of reach; a file missing, truncated, or of another architecture.
    """
    config = architecture(backbone, align)
    if backbone.weights and _own_config(backbone):
        return load(Path(backbone.weights), config["vision_cfg"]["image_size"]), config
    if backbone.source != "embedded":
        return _pretrained(backbone), config
    clip = build(config)
    state = download_state()
    with _named(f"the image tower of {PACKAGE} {VERSION}"):
        clip.visual.load_state_dict(state)
    return clip, config


def _pretrained(backbone: Backbone) -> CLIP:
    weights = backbone.weights if backbone.source == "local" else "openai"
    if backbone.source == "local" and not Path(str(weights)).is_file():
        raise UserError(f"{weights}: no such checkpoint (params.yaml: backbone.weights)")
    try:
        return open_clip.create_model(backbone.name, pretrained=weights, require_pretrained=True)
    except Exception as error:  # the hub's clients, pickle and safetensors raise their own kinds
        reason = " ".join(str(error).split())[:200]
        what = (
            f"{weights}: is no whole checkpoint of {backbone.name}"
            if backbone.source == "local"
            else (f"backbone.source openai: the model hub did not give {backbone.name}")
        )
        raise UserError(f"{what} ({type(error).__name__}: {reason})") from None


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
    with _named(str(path)):
        check_describes(lambda: build(config), state)
        clip = build(config, crop)
        resize_pos_embed(state, clip)
        clip.load_state_dict(state)
    return clip.eval().requires_grad_(False)


def identify(path: Path) -> tuple[dict, Backbone]:
    """open_clip's configuration of the CLIP kept at `path`, and where it came from.

    Raises:
        UserError: the file is missing, truncated, or does not say.
    """
    about = read_about(path)
    try:
        config, backbone = json.loads(about["config"]), Backbone.model_validate_json(about["backbone"])
        check(config)
    except (KeyError, ValueError, RecursionError):  # the second of json and of pydantic
        raise UserError(f"{path}: does not say which CLIP it holds; `dvc repro` makes it anew") from None
    return config, backbone


def describe(path: Path) -> str:
    """One line about the CLIP kept at `path`, to stand beside every number it makes."""
    config, backbone = identify(path)
    if backbone.source != "embedded":
        return f"{backbone.name}, {backbone.source}" + (f" ({Path(backbone.weights).name})" if backbone.weights else "")
    text = config["text_cfg"]
    return (
        f"{backbone.name}, embedded: OpenAI's image tower (int8, {PACKAGE} {VERSION}); text tower of width "
        f"{text['width']} and {text['layers']} blocks, aligned here"
    )


@contextmanager
def _named(source: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if is_want_of_memory(type(error).__name__, str(error)):
            raise
        detail = " ".join(str(error).split())[:160]
        raise UserError(f"{source}: a checkpoint of another architecture ({detail}...)") from None
