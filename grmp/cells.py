"""One cell of the ablation grid: a variant at a number of labels, with all its repeats."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from open_clip import CLIP

from grmp import backbone, features, ridge, sets
from grmp.checkpoint import load_prompts
from grmp.features import Features
from grmp.files import write_whole
from grmp.finetune import Outcome, finetune, label
from grmp.metrics import DECIMALS, all_metrics, srcc
from grmp.model import PromptedCLIP, prompted
from grmp.params import Compute, Finetune, Image, Prompts, Qgr, label_count
from grmp.runtime import Runtime, generator, start

Parts = dict[str, Features]


@dataclass(frozen=True)
class Folders:
    """Where earlier stages left what a cell starts from."""

    clip: Path = Path("artifacts/weights/clip.safetensors")
    prompts: Path = Path("artifacts/prompts/prompts.safetensors")
    features: Path = Path("artifacts/features")
    target: Path = Path("artifacts/distorted/target")


@dataclass(frozen=True)
class Recipe:
    """What a variant is made of."""

    mpp: bool
    qgr: bool


VARIANTS = {
    "full": Recipe(mpp=True, qgr=True),
    "without_mpp": Recipe(mpp=False, qgr=True),
    "without_qgr": Recipe(mpp=True, qgr=False),
    "without_both": Recipe(mpp=False, qgr=False),
}
"""The fine-tuned variants; without MPP there are no image prompts, and the text context starts at random."""


@dataclass(frozen=True)
class Study:
    """What all cells share: the target's features and scores, and how to start a model."""

    plain: Parts
    meta: Parts
    train_scores: torch.Tensor
    test_scores: np.ndarray
    clip: CLIP
    pretrained: PromptedCLIP
    prompts: Prompts
    finetune: Finetune
    repeats: int
    seed: int
    runtime: Runtime


@dataclass(frozen=True)
class Cell:
    """What a cell leaves: a row of metrics per repeat, one per step, and one per test image of the last step."""

    results: pd.DataFrame
    steps: pd.DataFrame
    predictions: pd.DataFrame


def draw_labelled(pool: int, count: int, seed: int, repeat: int) -> torch.Tensor:
    """Places of the labelled images. Nested: of one repeat, the 10 are among the 50."""
    return torch.randperm(pool, generator=generator(seed, 20, repeat))[:count]


def start_model(study: Study, recipe: Recipe, repeat: int) -> PromptedCLIP:
    """A fresh copy of the starting point, whose random context depends on the repeat alone."""
    if recipe.mpp:
        return copy.deepcopy(study.pretrained)
    torch.manual_seed(int(generator(study.seed, 21, repeat).initial_seed()))
    return prompted(copy.deepcopy(study.clip), study.prompts.model_copy(update={"image_tokens": 0}))


def tune(study: Study, variant: str, count: int, repeat: int, qgr: Qgr, title: str) -> Outcome:
    """One repeat of a fine-tuned variant."""
    recipe, seed = VARIANTS[variant], study.seed
    model = start_model(study, recipe, repeat).to(study.runtime.device)
    parts = study.meta if recipe.mpp else study.plain
    places = draw_labelled(len(study.train_scores), count, seed, repeat)
    tokens, embeddings = parts["train"].tokens[places], study.plain["train"].embeddings[places]
    labelled = label(model, tokens, embeddings, study.train_scores[places])
    qgr = qgr if recipe.qgr else qgr.model_copy(update={"when": "never"})
    draws = generator(seed, 22, repeat)
    return finetune(model, labelled, parts["test"], study.finetune, qgr, study.runtime, draws, title)


def fit_ridge(study: Study, count: int, repeat: int) -> tuple[np.ndarray, np.ndarray]:
    """One repeat of the baseline: predictions for the test part, and those of every ridge strength."""
    places = draw_labelled(len(study.train_scores), count, study.seed, repeat)
    train, test = (study.plain[part].embeddings.mean(dim=1).numpy() for part in ("train", "test"))
    labelled = (train[places], study.train_scores[places].numpy(), test)
    return ridge.fit_predict(*labelled), ridge.predict_each(*labelled)


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
    scores = {part: sets.scores(manifest[manifest["part"] == part]) for part in ("train", "test")}
    return Study(
        plain=features.load(folders.features / "plain.safetensors"),
        meta=features.load(folders.features / "meta.safetensors"),
        train_scores=scores["train"],
        test_scores=scores["test"].numpy(),
        clip=clip,
        pretrained=load_prompts(folders.prompts, clip, prompts),
        prompts=prompts,
        finetune=finetune,
        repeats=repeats,
        seed=compute.seed,
        runtime=runtime,
    )


def run_cell(study: Study, variant: str, labels: int | float, qgr: Qgr) -> Cell:
    """All repeats of one cell. Test scores are read here, after the predictions are made, and nowhere before."""
    count = label_count(labels, len(study.train_scores))
    results, steps, predictions = [], [], []
    for repeat in range(1, study.repeats + 1):
        key = {"variant": variant, "labels": labels, "count": count, "strength": qgr.strength, "repeat": repeat}
        if variant == "ridge":
            last, candidates = fit_ridge(study, count, repeat)
        else:
            title = f"{variant} @ {labels}, repeat {repeat}/{study.repeats}"
            outcome = tune(study, variant, count, repeat, qgr, title)
            candidates = outcome.predictions.numpy()
            last = candidates[-1]
            steps.append(outcome.steps.assign(**key))
        best = max(srcc(candidate, study.test_scores) for candidate in candidates)
        results.append(key | all_metrics(last, study.test_scores) | {"srcc_best": round(best, DECIMALS)})
        predictions.append(pd.DataFrame({"predicted": last.round(DECIMALS)}).assign(place=range(len(last)), **key))
    tables = ([pd.DataFrame(results)], steps, predictions)
    return Cell(*(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame() for rows in tables))


def write_cell(folder: Path, cell: Cell) -> None:
    """Write results.csv, steps.csv (empty for ridge, which has none) and predictions.csv below `folder`."""
    for name, table in vars(cell).items():
        write_whole(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g") if len(table) else "")
