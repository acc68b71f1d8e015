"""One cell of the ablation grid: a variant at a number of labels, with all its repeats."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor

from grmp import backbone, features, prior, sets
from grmp.checkpoint import load_prompts
from grmp.engine import Engine, Here
from grmp.features import Features
from grmp.files import write_whole
from grmp.finetune import Outcome, finetune, label
from grmp.journal import Journal
from grmp.metrics import DECIMALS, all_metrics, srcc
from grmp.model import PromptedCLIP, unprompted
from grmp.params import Compute, Finetune, Image, Prompts, Qgr, label_count
from grmp.prior import Prior
from grmp.probe import regress
from grmp.runtime import Runtime, generator, start
from grmp.sets import Fold
from grmp.variants import VARIANTS, Variant


@dataclass(frozen=True)
class Folders:
    """Where earlier stages left what a cell starts from."""

    clip: Path = Path("artifacts/weights/clip.safetensors")
    prompts: Path = Path("artifacts/prompts/prompts.safetensors")
    features: Path = Path("artifacts/features")
    target: Path = Path("artifacts/distorted/target")
    prior: Path = Path("artifacts/prompts/prior.safetensors")


@dataclass(frozen=True)
class Study:
    """What all cells share: the target's features, scores and folds (one per repeat), and how to start a model."""

    plain: Features
    meta: Features
    scores: Float[Tensor, " n"]
    folds: list[Fold]
    clip: CLIP
    pretrained: PromptedCLIP
    prompts: Prompts
    finetune: Finetune
    seed: int
    runtime: Runtime
    prior: Prior | None = None  # None will do where no variant has both a probe and MPP

    @property
    def repeats(self) -> int:
        """How often a cell is run, on other labelled images each time."""
        return len(self.folds)

    def features_of(self, variant: Variant) -> Features:
        """What the variant's tower makes of the target, before it is tuned."""
        return self.meta if variant.mpp else self.plain


@dataclass(frozen=True)
class Cell:
    """What a cell leaves: a row of metrics per repeat, one per step, and one per test image of the last step."""

    results: pd.DataFrame
    steps: pd.DataFrame
    predictions: pd.DataFrame


def draw_labelled(pool: int, count: int, seed: int, repeat: int) -> torch.Tensor:
    """Places of the labelled images. Nested: of one repeat, the 10 are among the 50."""
    return torch.randperm(pool, generator=generator(seed, 20, repeat))[:count]


def labelled_places(study: Study, count: int, repeat: int) -> Int[Tensor, " k"]:
    """Places, among all images, of those whose labels this repeat may use."""
    pool = study.folds[repeat - 1].train
    return pool[draw_labelled(len(pool), count, study.seed, repeat)]


def start_model(study: Study, variant: Variant, repeat: int) -> PromptedCLIP:
    """A fresh copy of the starting point, whose random context depends on the repeat alone."""
    if variant.mpp:
        return copy.deepcopy(study.pretrained)
    torch.manual_seed(int(generator(study.seed, 21, repeat).initial_seed()))
    return unprompted(copy.deepcopy(study.clip), study.prompts)


def tune(study: Study, variant: Variant, count: int, repeat: int, qgr: Qgr, title: str) -> Outcome:
    """One repeat of a fine-tuned variant."""
    model = start_model(study, variant, repeat).to(study.runtime.device)
    features = study.features_of(variant)
    places = labelled_places(study, count, repeat)
    labelled = label(model, features.tokens[places], study.plain.embeddings[places], study.scores[places], places)
    test = features.at(study.folds[repeat - 1].test)
    draws = generator(study.seed, 22, repeat)
    rule = own_rule(variant, qgr)
    return finetune(model, labelled, test, study.finetune, rule, study.runtime, draws, title)


def own_rule(variant: Variant, qgr: Qgr) -> Qgr:
    """The section `qgr` as the variant has it; checked anew, as its own keys have not been."""
    return Qgr.model_validate(qgr.model_dump() | variant.rule | ({} if variant.qgr else {"when": "never"}))


def regression(
    study: Study, variant: Variant, count: int, repeat: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "strength n"]]:
    """What `probe.regress` makes of the frozen embeddings, at the end of the tower or, for a probe, in its middle.

    A probe behind MPP has the prior that MPP's images taught.

    Raises:
        UserError: the features were made without what the probe reads.
    """
    features, places = study.features_of(variant), labelled_places(study, count, repeat)
    read = features.probed().mean(dim=1) if variant.probe else features.embeddings.mean(dim=1)[:, None]
    given = (read[places].numpy(), study.scores[places].numpy(), read[study.folds[repeat - 1].test].numpy())
    return regress(*given, study.finetune, study.prior if variant.probe and variant.mpp else None)


def read_study(
    folders: Folders, compute: Compute, prompts: Prompts, image: Image, finetune: Finetune, repeats: int
) -> Study:
    """Everything that earlier stages made for the grid.

    Raises:
        UserError: a file of an earlier stage is missing, truncated or of other sizes.
    """
    runtime = start(compute)
    clip = backbone.load(folders.clip, image.crop)
    manifest = sets.read_manifest(folders.target)
    pretrained = load_prompts(folders.prompts, clip, prompts)
    return Study(
        plain=features.load(folders.features / "plain.safetensors"),
        meta=features.load(folders.features / "meta.safetensors"),
        scores=sets.scores(manifest),
        folds=sets.folds(manifest, repeats),
        clip=clip,
        pretrained=pretrained,
        prompts=prompts,
        finetune=finetune,
        seed=compute.seed,
        runtime=runtime,
        prior=prior.load(folders.prior, pretrained, finetune.probe_blocks),
    )


def run_repeat(study: Study, variant: str, labels: int | float, qgr: Qgr, repeat: int) -> Cell:
    """One repeat, counted from 1. Test scores are read here, after the predictions are made, and nowhere before.

    Raises:
        UserError: more labels than the repeat's pool holds.
    """
    fold, recipe = study.folds[repeat - 1], VARIANTS[variant]
    count = label_count(labels, len(fold.train))
    key = {"variant": variant, "labels": labels, "count": count, "strength": qgr.strength, "repeat": repeat}
    if recipe.tuned:
        title = f"{variant} @ {labels}, repeat {repeat}/{study.repeats}"
        outcome = tune(study, recipe, count, repeat, qgr, title)
        candidates, steps = outcome.predictions.numpy(), outcome.steps.assign(**key)
        if recipe.probe:
            share = study.finetune.probe_share
            regressed, _ = regression(study, recipe, count, repeat)
            regressed = regressed.clip(0, 1)  # as the quality itself
            candidates = (1 - share) * candidates + share * regressed
        last = candidates[-1]
    else:
        last, candidates = regression(study, recipe, count, repeat)
        steps = pd.DataFrame()
    truth = study.scores[fold.test].numpy()
    best = max(srcc(candidate, truth) for candidate in (*candidates, last))
    results = pd.DataFrame([key | all_metrics(last, truth) | {"srcc_best": round(best, DECIMALS)}])
    return Cell(results, steps, pd.DataFrame({"predicted": last.round(DECIMALS)}).assign(place=fold.test, **key))


def keep_repeats(study: Study, variant: str, labels: int | float, qgr: Qgr) -> Journal:
    """Where the finished repeats of one cell are kept, while the study is under way."""
    made_of = {name: value.tensors() if isinstance(value, Features) else value for name, value in vars(study).items()}
    made_of |= {
        "prior": study.prior and vars(study.prior),
        "folds": [vars(fold) for fold in study.folds],
        "clip": study.clip.state_dict(),
        "pretrained": study.pretrained.prompt_parameters(),
        "runtime": [str(study.runtime.device), study.runtime.precision],
    }
    return Journal(f"{variant} @ {labels}, lambda {qgr.strength:g}", variant, labels, qgr, made_of)


def run_cell(study: Study, variant: str, labels: int | float, qgr: Qgr, engine: Engine | None = None) -> Cell:
    """All repeats of one cell, where `engine` runs them; one after the other in this process where none is given.

    Those that an interrupted run had finished are not run again.

    Raises:
        UserError: more labels than a repeat's pool holds, or as `Engine.run`.
    """
    engine, journal = engine or Here(), keep_repeats(study, variant, labels, qgr)
    shared = engine.share(study)
    names = {repeat: f"repeat-{repeat}" for repeat in range(1, study.repeats + 1)}
    missing = [repeat for repeat, name in names.items() if journal.read(name) is None]
    made = engine.run(run_repeat, ((shared, variant, labels, qgr, repeat) for repeat in missing))
    repeats = [journal.tables(name, lambda: vars(next(made))) for name in names.values()]
    return Cell(**{name: pd.concat([one[name] for one in repeats], ignore_index=True) for name in repeats[0]})


def write_cell(folder: Path, cell: Cell) -> None:
    """Write results.csv, steps.csv (empty where nothing was tuned) and predictions.csv below `folder`."""
    for name, table in vars(cell).items():
        write_whole(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g") if len(table) else "")
