"""Settings of the probe, compared on a rated set that no report shows: the table reports/development.csv.

Everything compared is in closed form. So images are embedded once, at every scale and behind every block that is asked
about, and each option then takes seconds.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from jaxtyping import Float, Int
from torch import Tensor

from grmp.crops import Scale
from grmp.io.files import write_whole
from grmp.metrics import srcc
from grmp.prior import Prior, learn
from grmp.probe import regress
from grmp.progress import Progress
from grmp.settings import Finetune
from study import params
from study.command import run_command
from study.data import datasets, sets
from study.data.splits import random_split
from study.stages.development import BLOCKS, View, embed_all, load, sample

LABELS = (10, 25, 50, 100, 200)
SMALL, NATIVE, MIDDLE, MIRRORED = (256, 2, False), ("native", 1, False), (384, 1, False), ("native", 1, True)
BOTH = (SMALL, NATIVE)


@dataclass(frozen=True)
class Option:
    """What the probe reads: the views whose embeddings are averaged, behind which blocks, with which prior."""

    views: tuple[View, ...] = BOTH
    blocks: tuple[int, ...] = (8, 9, 10)
    strength: float = 3.0
    prior: tuple[Scale, ...] = (256, "native")
    prompted: bool = True


BEFORE = Option(views=(SMALL,), prior=(256,))
"""What the study had before it saw images at two scales; gains are over this."""
OPTIONS = {
    "256 alone": BEFORE,
    "256 alone, no prior": replace(BEFORE, strength=0.0),
    "native alone": Option(views=(NATIVE,), prior=("native",)),
    "native alone, no prior": Option(views=(NATIVE,), strength=0.0),
    "both": Option(),
    "both, no prior": Option(strength=0.0),
    "both, prior of 256": Option(prior=(256,)),
    "both, prior of native": Option(prior=("native",)),
    **{f"both, prior {strength:g}": Option(strength=strength) for strength in (1.0, 10.0, 30.0)},
    **{f"both, block {block}": Option(blocks=(block,)) for block in BLOCKS},
    "both, blocks 7 to 10": Option(blocks=(7, 8, 9, 10)),
    "both, blocks 8 and 9": Option(blocks=(8, 9)),
    "both, blocks 8 to 11": Option(blocks=(8, 9, 10, 11)),
    "both, blocks 8 to 12": Option(blocks=(8, 9, 10, 11, 12)),
    "both and 384": Option(views=(*BOTH, MIDDLE)),
    "both, native mirrored too": Option(views=(SMALL, NATIVE, MIRRORED)),
    "no prompts, 256 alone, no prior": replace(BEFORE, strength=0.0, prompted=False),
    "no prompts, both, no prior": Option(strength=0.0, prompted=False),
}


@dataclass(frozen=True)
class Development:
    """The embeddings of a rated set and of the pre-training images, read at every view, behind `BLOCKS`.

    Rows of images that a view was not cut of are NaN.
    """

    folder: Path
    manifest: pd.DataFrame
    tasks: pd.DataFrame
    settings: Finetune

    @cached_property
    def scores(self) -> Float[np.ndarray, " n"]:
        """Scores in [0, 1]."""
        return self.manifest["score"].to_numpy(np.float32)

    def read(self, option: Option) -> Float[np.ndarray, "n block e"]:
        """What the probe reads of the rated images: the mean over the scales; a mirrored crop is one of its scale."""
        scales: dict[Scale, list[Tensor]] = {}
        for view in option.views:
            scales.setdefault(view[0], []).append(load(self.folder, view, option.prompted))
        mean = torch.stack([torch.stack(parts).mean(dim=0) for parts in scales.values()]).mean(dim=0)
        return mean[:, [BLOCKS.index(block) for block in option.blocks]].numpy()

    def prior(self, option: Option) -> Prior | None:
        """What the pre-training images teach at the option's scales; None without a prior."""
        if not option.strength:
            return None
        return _learn(
            self.folder, option.prior, option.blocks, tuple(self.tasks["photograph"]), tuple(self.tasks["score"])
        )


@lru_cache
def _learn(
    folder: Path, scales: tuple[Scale, ...], blocks: tuple[int, ...], photographs: tuple[str], scores: tuple[float]
) -> Prior:
    each = torch.stack([load(folder, (scale, 1, False), True, "tasks") for scale in scales]).mean(dim=0)
    return learn(each[:, [BLOCKS.index(block) for block in blocks]], torch.tensor(scores), photographs)


def assess(given: Development, option: Option, images: Int[np.ndarray, " m"], draws: int) -> Float[np.ndarray, "d l"]:
    """SRCC of every draw at each of `LABELS`, on `images` alone: 30 % of them test, contents stay whole."""
    settings = given.settings.model_copy(update={"probe_prior": option.strength, "standardise": False})
    read, prior, found = given.read(option), given.prior(option), np.empty((draws, len(LABELS)))
    for draw in range(draws):
        roles = random_split(given.manifest.iloc[images], given.folder, 0.3, seed=draw)["role"].to_numpy()
        train, test = images[roles == "train"], images[roles == "test"]
        order = np.random.default_rng([draw, 2]).permutation(train)
        for place, count in enumerate(LABELS):
            few = order[:count]
            predicted, _ = regress(read[few], given.scores[few], read[test], settings, prior)
            found[draw, place] = srcc(predicted, given.scores[test])
    return found


def compare(given: Development, options: dict[str, Option], draws: int) -> pd.DataFrame:
    """A row per option and number of labels: mean SRCC, gain over `BEFORE` on the same draws, and standard errors."""
    before, rows, progress = {}, [], Progress("options", len(options))
    for step, (name, option) in enumerate(options.items(), 1):
        images = np.flatnonzero(~np.isnan(given.read(option)).any(axis=(1, 2)))
        if len(images) not in before:
            before[len(images)] = assess(given, BEFORE, images, draws)
        found, baseline = assess(given, option, images, draws), before[len(images)]
        for place, count in enumerate(LABELS):
            row = {"option": name, "images": len(images), "draws": draws, "labels": count}
            each = {"srcc": found[:, place], "gain": (found - baseline)[:, place]}
            for key, values in each.items():
                row |= {key: values.mean(), f"{key}_error": values.std(ddof=1) / np.sqrt(draws)}
            rows.append(row)
        progress.update(step)
    return pd.DataFrame(rows)


def main(
    rated: Annotated[Path, typer.Argument(help="folder of the rated set, with scores.csv")],
    out: Annotated[Path, typer.Option(help="the table")] = Path("reports/development.csv"),
    folder: Annotated[Path, typer.Option(help="keeps the embeddings")] = Path("artifacts/development"),
    images: Annotated[int, typer.Option(help="rated images that are looked at")] = 800,
    few: Annotated[int, typer.Option(help="of these, for 384, mirrored crops and the untouched tower")] = 400,
    distorted: Annotated[int, typer.Option(help="pre-training images that teach the prior")] = 500,
    draws: Annotated[int, typer.Option(help="splits, each with its own draw of labels")] = 20,
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Compare `OPTIONS` on a rated set whose scores lie between 0 and 1, and write the table."""
    settings = params.load(params_path)
    table = sample(datasets.read("csv", rated, scale=(0, 1)), rated, images)
    tasks = sets.read_manifest(Path(settings.pretrain.source))
    tasks = tasks.iloc[np.sort(np.random.default_rng(3).permutation(len(tasks))[:distorted])].reset_index(drop=True)
    jobs = {(view, option.prompted): None for option in OPTIONS.values() for view in option.views}
    embed_all(folder, rated, table, tasks, jobs, few, settings)
    found = compare(Development(folder, table, tasks, settings.finetune), OPTIONS, draws)
    write_whole(out, found.to_csv(index=False, float_format="%.4f"))
    typer.echo(found.pivot(index="option", columns="labels", values="srcc").round(3).to_string())


if __name__ == "__main__":
    run_command(main)
