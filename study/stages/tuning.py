"""The fine-tuned repeats of a cell, each kept under a digest of what it depends on, which variants may share."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from grmp.finetune import Labelled, Outcome, finetune, label
from grmp.io.digest import digest
from grmp.model import PromptedCLIP, unprompted
from grmp.runtime import Stream, generator
from grmp.settings import Qgr
from study.running.kept import KeptFile
from study.running.parallel import run_pieces
from study.stages.fresh_crops import FreshCrops
from study.stages.inputs import Inputs, labelled_indices
from study.stages.plateau import Plateau
from study.stages.stretch import stretch
from study.variant import Variant


def start_model(inputs: Inputs, variant: Variant, repeat: int) -> PromptedCLIP:
    """A fresh copy of the starting point, whose random context depends on the repeat alone."""
    if variant.mpp:
        return copy.deepcopy(inputs.pretrained)
    torch.manual_seed(int(generator(inputs.seed, Stream.FRESH_CONTEXT, repeat).initial_seed()))
    return unprompted(copy.deepcopy(inputs.clip), inputs.prompts)


def tune(inputs: Inputs, variant: Variant, count: int, qgr: Qgr, title: str, repeat: int) -> Outcome:
    """One repeat, counted from 1, of a fine-tuned variant."""
    model = start_model(inputs, variant, repeat).to(inputs.runtime.device)
    labelled = label_images(inputs, variant, model, labelled_indices(inputs, count, repeat))
    place = inputs.folds[repeat - 1].test
    test, look = inputs.features_of(variant).at(place), Plateau(inputs.scores[place]) if inputs.steered else None
    draws = generator(inputs.seed, Stream.FINE_TUNING, repeat)
    rule = own_rule(variant, qgr)
    if inputs.finetune.dropout:
        torch.manual_seed(int(draws.initial_seed()) % 2**31)  # which dropout draws from
    title = f"{title}, repeat {repeat}"
    return finetune(model, labelled, test, inputs.finetune, rule, inputs.runtime, draws, title, look)


def label_images(inputs: Inputs, variant: Variant, model: PromptedCLIP, indices: Int[Tensor, " k"]) -> Labelled:
    """The labelled images for the still untrained `model`: cached tokens of fixed crops, or whole for fresh ones."""
    scores = inputs.scores[indices]
    if inputs.finetune.labels == "stretched":
        scores = stretch(scores)
    if inputs.whole is None:
        features = inputs.features_of(variant).at(indices)
        return label(model, replace(features, embeddings=inputs.plain.embeddings[indices]), scores, indices)
    untouched = unprompted(copy.deepcopy(inputs.clip), inputs.prompts).eval().requires_grad_(False)
    return FreshCrops(
        inputs.whole[indices][:, None], scores, torch.empty(0), torch.ones(1), indices, untouched, inputs.crop
    )


def own_rule(variant: Variant, qgr: Qgr) -> Qgr:
    """The section `qgr` as the variant has it; checked anew, as its own keys have not been."""
    return Qgr.model_validate(qgr.model_dump() | variant.rule | ({} if variant.qgr else {"when": "never"}))


def tune_all(
    inputs: Inputs, variant: Variant, counts: list[int], qgr: Qgr, kept: Path | None, title: str
) -> list[Outcome]:
    """The outcome of every repeat, in their order, each from its file below `kept` where there is one.

    Raises:
        UserError: as `run_pieces`.
    """
    files = [
        kept and _kept_file(inputs, variant, count, qgr, repeat, kept) for repeat, count in enumerate(counts, start=1)
    ]
    found = [_read(file) if file else None for file in files]
    missing = [index for index, outcome in enumerate(found) if outcome is None]
    pieces = ((variant, counts[index], qgr, title, index + 1) for index in missing)
    gpus = int(inputs.runtime.device.type == "cuda")
    for index, outcome in zip(missing, run_pieces(tune, pieces, inputs, gpus=gpus)):
        found[index] = outcome
        if files[index]:
            _write(files[index], outcome)
    return found


def _kept_file(inputs: Inputs, variant: Variant, count: int, qgr: Qgr, repeat: int, folder: Path) -> KeptFile:
    depends = inputs.digests[variant.mpp], vars(inputs.folds[repeat - 1]), own_rule(variant, qgr), count, repeat
    return KeptFile(folder / f"{digest(depends)}.safetensors", __name__, *depends)


def _write(file: KeptFile, outcome: Outcome) -> None:
    about = {"evaluated": outcome.evaluated, "steps": outcome.steps.to_dict("list")}
    file.write({"predictions": outcome.predictions}, {name: json.dumps(value) for name, value in about.items()})


def _read(file: KeptFile) -> Outcome | None:
    kept = file.read()
    if kept is None:
        return None
    about, tensors = kept
    return Outcome(json.loads(about["evaluated"]), tensors["predictions"], pd.DataFrame(json.loads(about["steps"])))
