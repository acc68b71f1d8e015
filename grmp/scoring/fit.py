"""The full recipe on somebody's few labels: CLIP, meta-trained prompts and the probe's prior in, a scorer out."""

import copy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.crops import cut_views, view_weights
from grmp.errors import UserError
from grmp.features import Features, frozen_features
from grmp.finetune import finetune, label
from grmp.io import backbone, prior_file
from grmp.io.files import write_whole
from grmp.io.identity import describe
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import PromptedCLIP, first_trained_block, unprompted
from grmp.prior import Prior
from grmp.probe_fit import Roots, fit_probe, prior_roots
from grmp.runtime import Runtime, Stream, generator, start
from grmp.scoring.card import Card, HeldOut, Labels, computed_on, parameters
from grmp.scoring.inputs import read_input
from grmp.scoring.opinions import Opinions, scale
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import load, save
from grmp.scoring.validation import validate
from grmp.settings import Method


def load_start(settings: Method, folders: Folders, runtime: Runtime) -> tuple[PromptedCLIP, Prior]:
    """What pre-training has made, before any label: the model with its prompts, frozen, and the probe's prior.

    Raises:
        UserError: a file of an earlier stage is missing, or does not fit the settings.
    """
    model = load_prompts(folders.prompts, backbone.load(folders.clip, settings.image.crop), settings.prompts)
    model.eval().requires_grad_(False).to(runtime.device)
    return model, prior_file.load(folders.prior, model, settings.finetune.probe_blocks)


def compute_features(
    model: PromptedCLIP, crops: UInt8[Tensor, "n view 3 s s"], settings: Method, runtime: Runtime
) -> Features:
    """What is learned from: tokens and `middle` behind `model`'s prompts, embeddings of the untouched CLIP."""
    untouched = unprompted(model.clip, settings.prompts).eval().requires_grad_(False).to(runtime.device)
    block = first_trained_block(model, settings.finetune.blocks)
    probe, title = settings.finetune.probe_blocks, "labelled images, with prompts"
    weights = view_weights(settings.image.views)
    prompted_ones = frozen_features(model, crops, block, runtime, title, probe_blocks=probe, weights=weights)
    plain_ones = frozen_features(untouched, crops, block, runtime, "labelled images, without", keep_tokens=False)
    return replace(prompted_ones, embeddings=plain_ones.embeddings)


def adapt(
    model: PromptedCLIP,
    roots: Roots | None,
    seen: Features,
    scores: Float[Tensor, " n"],
    settings: Method,
    runtime: Runtime,
) -> Scorer:
    """A copy of `model`, fine-tuned on images and their scores in [0, 1], with a probe of prior `roots`."""
    model = copy.deepcopy(model).to(runtime.device)
    few, nobody = label(model, seen, scores), seen.at(torch.arange(0))
    draws, title = generator(settings.compute.seed, Stream.FIT), f"fit {len(scores)} labels"
    finetune(model, few, nobody, settings.finetune, settings.qgr, runtime, draws, title)
    return Scorer(model, settings.image, fit_probe(seen, scores, settings.finetune, roots)).to(runtime.device)


def fit(opinions: Opinions, settings: Method, out: Path, folders: Folders | None = None) -> Card:
    """Learn from all labels, and write the scorer; from `validation.FEWEST` labels on also measure how well that works.

    The measurement is on the card; a CSV beside `out` has each image's label, and what was predicted without it.

    Raises:
        UserError: the labels go against the untuned scorer's scores, an image cannot be read, a file of an earlier
            stage is missing, or `out` cannot be written.
    """
    folders, runtime = folders or Folders(), start(settings.compute)
    untuned = load(folders.scorer, settings.compute.device).score(opinions.paths)
    for wrong in untuned["error"][untuned["error"] != ""]:
        raise UserError(wrong)
    opinions.check_direction(untuned["quality"].to_numpy())
    model, taught = load_start(settings, folders, runtime)
    sight = settings.image
    crops = torch.stack([cut_views(read_input(path), sight.views, sight.crop) for path in opinions.paths])
    seen = compute_features(model, crops, settings, runtime)
    low, high = opinions.ends()
    targets = torch.from_numpy(scale(opinions.scores, (low, high)).astype(np.float32))
    found, tuned, roots = None, settings.finetune, prior_roots(settings.finetune, taught)
    if tuned.probe_share:
        found = validate(seen.probed().numpy(), targets.double().numpy(), roots, settings.compute.seed)
    trained = adapt(model, roots, seen, targets, settings, runtime)
    told = opinions.bounds is not None
    labels = Labels(data=opinions.name, images=len(opinions.paths), low=low, high=high, range_given=told)
    held_out = found.held_out(untuned["quality"].to_numpy()) if found else None
    card = write(out, trained, labels, held_out, settings, runtime, folders.clip)
    if found:
        predicted = low + (high - low) * found.mapped()
        table = pd.DataFrame({"image": opinions.paths, "given": opinions.scores, "predicted": predicted})
        write_whole(out.with_suffix(".csv"), table.to_csv(index=False))
    return card


def write(
    out: Path, scorer: Scorer, labels: Labels, held_out: HeldOut | None, settings: Method, runtime: Runtime, clip: Path
) -> Card:
    """Write a scorer as a checkpoint, and return the card that it carries."""
    card = Card(
        version=version("grmp"),
        backbone=describe(clip),
        labels=labels,
        held_out=held_out,
        computed=computed_on(runtime),
        parameters=parameters(settings),
    )
    save(out, scorer, clip, settings.prompts, card)
    return card
