"""Settings of the probe, compared on a rated set that no report shows: makes the table reports/development.csv.

Everything compared is in closed form: images are embedded once for each view, and an option then takes seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.crops import Scale, cut_views, view_weights
from grmp.design import choose
from grmp.io import backbone
from grmp.io.files import write_whole
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.metrics import srcc
from grmp.model import PromptedCLIP, unprompted
from grmp.prior import embed, learn
from grmp.probe_fit import regress
from grmp.progress import Progress
from grmp.runtime import Runtime, start
from study import params
from study.command import run_command
from study.data import datasets, manifests, sets
from study.data.splits import random_split, set_aside
from study.params import Params
from study.running.kept import KeptFile

LABELS = (10, 25, 50, 100, 200)
TEST_SHARE = 0.3
"""Of the images that are looked at."""
BLOCKS = (4, 5, 6, 7, 8, 9, 10, 11, 12)
View = tuple[Scale, int, bool]
"""A scale, its even crops, and whether they are mirrored."""
SMALL, NATIVE, MIDDLE, MIRRORED = (256, 2, False), ("native", 1, False), (384, 1, False), ("native", 1, True)
BOTH = (SMALL, NATIVE)


@dataclass(frozen=True)
class Option:
    """What the probe reads: the views whose embeddings are averaged, behind which blocks, with which prior.

    Args:
        views: averaged within a scale, then over the scales.
        blocks: as `finetune.probe_blocks`.
        strength: as `finetune.probe_prior`.
        prior: scales at which the pre-training images teach it, a centre crop of each.
        prompted: by the pre-trained prompts, or the untouched tower.
        stacked: the first block is trusted beforehand, and labels tell the blocks' shares; else all count alike.
        suggested: the labelled images are those that `grmp suggest` would name, else they are drawn by chance.
    """

    views: tuple[View, ...] = BOTH
    blocks: tuple[int, ...] = (8, 9, 10)
    strength: float = 3.0
    prior: tuple[Scale, ...] = (256, "native")
    prompted: bool = True
    stacked: bool = False
    suggested: bool = False


BEFORE = Option(views=(SMALL,), prior=(256,))
"""One scale; gains are over this."""
SPANS = ((4, 10), (4, 11), (5, 10), (5, 11), (7, 10), (7, 11), (8, 11), (8, 12))
STACKED = Option(blocks=(9, 4, 5, 6, 7, 8, 10, 11), strength=10.0, stacked=True)
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
    **{
        f"both, blocks {first} to {last}, prior 10": Option(blocks=tuple(range(first, last + 1)), strength=10.0)
        for first, last in SPANS
    },
    "both and 384": Option(views=(*BOTH, MIDDLE)),
    "both, native mirrored too": Option(views=(*BOTH, MIRRORED)),
    "both, prior 10, suggested images": Option(strength=10.0, suggested=True),
    "stacked": STACKED,
    **{f"stacked, prior {strength:g}": replace(STACKED, strength=strength) for strength in (0.0, 3.0, 30.0)},
    "stacked, blocks 8 to 10": replace(STACKED, blocks=(9, 8, 10)),
    "stacked, blocks 5 to 11": replace(STACKED, blocks=(9, 5, 6, 7, 8, 10, 11)),
    "stacked, blocks 4 to 12": replace(STACKED, blocks=(*STACKED.blocks, 12)),
    "stacked, suggested images": replace(STACKED, suggested=True),
    "untouched tower, 256 alone, no prior": replace(BEFORE, strength=0.0, prompted=False),
    "untouched tower, both, no prior": Option(strength=0.0, prompted=False),
    "untouched tower, stacked, no prior": replace(STACKED, strength=0.0, prompted=False),
}
"""Of the options with `stacked` in their names both scales are seen, and unless said otherwise the prior is 10."""


class Embedder:
    """Embeds sets of images behind `BLOCKS`, each view once: what is kept in `folder` is read again.

    Args:
        models: with the trained prompts (True) and without any (False).
        crop: pixels of a crop's side.
        runtime: where it computes.
        folder: keeps the embeddings.
    """

    def __init__(self, models: dict[bool, PromptedCLIP], crop: int, runtime: Runtime, folder: Path) -> None:
        self.models = {name: model.eval().requires_grad_(False).to(runtime.device) for name, model in models.items()}
        self.crop, self.runtime, self.folder = crop, runtime, folder
        self.known: dict[str, Float[Tensor, "n block e"]] = {}

    def read(
        self, name: str, images: list[UInt8[Tensor, "3 h w"]], view: View, prompted: bool
    ) -> Float[Tensor, "n block e"]:
        """Embeddings of the set `name`, the mean over the view's crops."""  # fmt: skip
        scale, crops, mirrored = view
        title = f"{name}-{'prompted' if prompted else 'untouched'}-{scale}x{crops}{'-mirrored' * mirrored}"
        if title not in self.known:
            self.known[title] = self._embed(title, images, view, self.models[prompted])
        return self.known[title]

    def _embed(
        self, title: str, images: list[UInt8[Tensor, "3 h w"]], view: View, model: PromptedCLIP
    ) -> Float[Tensor, "n block e"]:
        scale, crops, mirrored = view
        depends = model.state_dict(), images, view, self.crop, BLOCKS, str(self.runtime.device), self.runtime.precision
        kept = KeptFile(self.folder / f"{title}.safetensors", "grmp.prior", *depends)
        if found := kept.read():
            return found[1]["middle"]
        views = [(scale, crops)]
        cut = torch.stack([cut_views(image, views, self.crop) for image in images])
        middle = embed(model, cut.flip(-1) if mirrored else cut, view_weights(views), BLOCKS, self.runtime)
        kept.write({"middle": middle}, {})
        return middle

    def average(
        self, name: str, images: list[UInt8[Tensor, "3 h w"]], views: tuple[View, ...], prompted: bool
    ) -> Float[Tensor, "n block e"]:
        """The mean over the views of each scale, then over the scales."""
        scales: dict[Scale, list[Tensor]] = {}
        for view in views:
            scales.setdefault(view[0], []).append(self.read(name, images, view, prompted))
        return torch.stack([torch.stack(parts).mean(dim=0) for parts in scales.values()]).mean(dim=0)


def own_embedder(settings: Params, folder: Path) -> Embedder:
    """An embedder by the study's own prompts and by the untouched tower, after `dvc repro pretrain`."""
    clip = backbone.load(Folders.clip, settings.image.crop)
    models = {
        True: load_prompts(Folders.prompts, clip, settings.prompts),
        False: unprompted(clip, settings.prompts),
    }
    return Embedder(models, settings.image.crop, start(settings.compute), folder)


def looked_at(rated: Path, images: int) -> pd.DataFrame:
    """The rows of the rated set in a folder, scores in 0 to 1, on which settings are chosen."""
    table, aside = set_aside(datasets.read("csv", rated, scale=(0, 1)), rated, images)
    return table[aside].reset_index(drop=True)


def draws_of(manifest: pd.DataFrame, folder: Path, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of labelled images, in the order in which they are drawn, and of test images: 30 %, contents whole."""
    for draw in range(count):
        roles = random_split(manifest, folder, TEST_SHARE, seed=draw)["role"].to_numpy()
        yield np.random.default_rng([draw, 2]).permutation(np.flatnonzero(roles == "train")), roles == "test"


def suggested(
    read: Float[np.ndarray, "n block e"],
    roots: Float[np.ndarray, "block e e"] | None,
    draws: list[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """As `draws`, but the labelled images of each are those that its pool suggests, the most telling first."""
    return [(pool[choose(read[pool], roots, max(LABELS))], test) for pool, test in draws]


def predict(
    train: Float[np.ndarray, "k block e"],
    scores: Float[np.ndarray, " k"],
    test: Float[np.ndarray, "n block e"],
    roots: Float[np.ndarray, "block e e"] | None,
    stacked: bool,
) -> Float[np.ndarray, " n"]:
    """Predictions for `test` by one regression behind each block: stacked, or their plain mean."""
    if stacked:
        return regress(train, scores, roots).predict(test)[0]
    rooted = [None] * train.shape[1] if roots is None else roots[:, None]
    each = zip(train.swapaxes(0, 1)[:, :, None], test.swapaxes(0, 1)[:, :, None], rooted)
    return np.mean([regress(few, scores, root).predict(many)[0] for few, many, root in each], axis=0)


def assess(
    read: Float[np.ndarray, "n block e"],
    roots: Float[np.ndarray, "block e e"] | None,
    scores: Float[np.ndarray, " n"],
    draws: list[tuple[np.ndarray, np.ndarray]],
    stacked: bool = False,
) -> Float[np.ndarray, "draw labels"]:
    """SRCC of the probe on the test images of every draw, at each of `LABELS`."""
    found = np.empty((len(draws), len(LABELS)))
    for row, (order, test) in zip(found, draws):
        for place, count in enumerate(LABELS):
            few = order[:count]
            row[place] = srcc(predict(read[few], scores[few], read[test], roots, stacked), scores[test])
    return found


def tabulate(found: dict[str, Float[np.ndarray, "draw labels"]], images: int) -> pd.DataFrame:
    """A row per option and number of labels: mean SRCC and gain over the first option, with their standard errors."""
    baseline, rows = next(iter(found.values())), []
    for name, each in found.items():
        for place, count in enumerate(LABELS):
            row = {"option": name, "images": images, "draws": len(each), "labels": count}
            for key, values in (("srcc", each[:, place]), ("gain", (each - baseline)[:, place])):
                row |= {key: values.mean(), f"{key}_error": values.std(ddof=1) / np.sqrt(len(each))}
            rows.append(row)
    return pd.DataFrame(rows)


def main(
    rated: Annotated[Path, typer.Argument(help="folder of a rated set with scores.csv, scores in 0 to 1")],
    out: Annotated[Path, typer.Option(help="the table")] = Path("../reports/development.csv"),
    folder: Annotated[Path, typer.Option(help="keeps the embeddings")] = Path("artifacts/development"),
    images: Annotated[int, typer.Option(help="rated images that are looked at")] = 800,
    distorted: Annotated[int, typer.Option(help="pre-training images that teach the prior")] = 500,
    draws: Annotated[int, typer.Option(help="splits, each with its own draw of labels")] = 20,
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Compare `OPTIONS` on a rated set and write the table; needs what `dvc repro pretrain` makes."""
    settings = params.load(params_path)
    embedder, table = own_embedder(settings, folder), looked_at(rated, images)
    source = Path(str(settings.pretrain.source))
    tasks = manifests.sample(manifests.read_manifest(source), distorted)
    pictures, teaching = list(sets.read_images(rated, table)), list(sets.read_images(source, tasks))
    given, found = list(draws_of(table, rated, draws)), {}
    progress = Progress("options", len(OPTIONS), "options")
    for step, (name, option) in enumerate(OPTIONS.items(), 1):
        places = [BLOCKS.index(block) for block in option.blocks]
        read = embedder.average("rated", pictures, option.views, option.prompted)[:, places]
        roots = None
        if option.strength:
            centres = tuple((scale, 1, False) for scale in option.prior)
            taught = embedder.average("tasks", teaching, centres, True)[:, places]
            roots = learn(taught, sets.scores(tasks), tasks["photograph"].tolist()).root(option.strength)
        drawn = suggested(read.numpy(), roots, given) if option.suggested else given
        found[name] = assess(read.numpy(), roots, table["score"].to_numpy(np.float32), drawn, option.stacked)
        progress.update(step, items=1)
    written = tabulate(found, len(table))
    write_whole(out, written.to_csv(index=False, float_format="%.4f"))
    typer.echo(written.pivot(index="option", columns="labels", values="srcc").loc[list(OPTIONS)].round(3).to_string())


if __name__ == "__main__":
    run_command(main)
