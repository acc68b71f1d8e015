"""A scorer on disk: one safetensors file that needs no other, with its model card inside."""

import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import model_validator

from grmp.errors import UserError
from grmp.io import backbone, paths
from grmp.io.about import read_about
from grmp.io.architecture import check_describes
from grmp.io.identity import check, identify
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import prompted
from grmp.probe import Probe, ProbeSettings
from grmp.runtime import find_device
from grmp.scoring.card import Card
from grmp.scoring.scorer import Scorer
from grmp.settings import Backbone, Input, Prompts, Section

REMEDY = "`dvc repro release` makes the study's own checkpoint, `grmp fit` one from your labels"


class Blueprint(Section):
    """What is needed besides the weights to build a scorer again, and its card."""

    config: dict
    backbone: Backbone
    prompts: Prompts
    input: Input
    card: Card
    probe: ProbeSettings | None = None

    @model_validator(mode="after")
    def _sees_its_crops(self) -> "Blueprint":
        check(self.config)
        if self.config["vision_cfg"].get("image_size") != self.input.crop:
            raise ValueError("the crops are not of the size that its image tower is for")
        return self


def save(path: Path, scorer: Scorer, clip: Path, prompts: Prompts, card: Card) -> None:
    """Write a scorer as one safetensors file that needs no other; `clip` is the file that its CLIP came from.

    Raises:
        UserError: `clip` does not say which CLIP it holds, or the file cannot be written.
    """
    config, origin = identify(clip)
    config["vision_cfg"]["image_size"] = scorer.view.crop
    probe = scorer.probe.settings if scorer.probe else None
    blueprint = Blueprint(config=config, backbone=origin, prompts=prompts, input=scorer.view, card=card, probe=probe)
    about = {name: json.dumps(value) for name, value in blueprint.model_dump(mode="json").items()}
    write_tensors(path, scorer.state_dict(), about)


def read_card(path: Path) -> Card:
    """The model card of the checkpoint at `path`.

    Raises:
        UserError: as `load`.
    """
    return _blueprint(path).card


def load(path: str | Path = paths.STUDY, device: Literal["auto", "cpu", "cuda"] = "auto") -> Scorer:
    """The scorer kept at `path`, frozen, on `device` (auto: a GPU where there is one).

    Raises:
        UserError: the file is missing, truncated, or no scoring checkpoint; or there is no such device.
    """
    path, place = Path(path), find_device(device)
    blueprint = _blueprint(path)
    _, state = read_checkpoint(path)

    def make() -> Scorer:
        model = prompted(backbone.build(blueprint.config), blueprint.prompts)
        probe = Probe(blueprint.probe, model.clip.visual.output_dim) if blueprint.probe else None
        return Scorer(model, blueprint.input, probe)

    with backbone.named(str(path)), torch.random.fork_rng(devices=[]):  # fresh weights are drawn, only to be replaced
        check_describes(make, state)
        scorer = make()
        scorer.load_state_dict(state)
    ends = (blueprint.card.labels.low, blueprint.card.labels.high)  # 0 and 1: every score's scale, as the study's own
    scorer.name, scorer.own = str(path), ends if blueprint.card.labels.range_given and ends != (0, 1) else None
    return scorer.to(place)


def _blueprint(path: Path) -> Blueprint:
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; {REMEDY}")
    about = read_about(path)
    try:
        return Blueprint.model_validate({name: json.loads(text) for name, text in about.items()})
    except (ValueError, RecursionError):  # of json and of pydantic
        raise UserError(f"{path}: is no scoring checkpoint; {REMEDY}") from None
