"""Embeddings for choosing settings: of rated and of pre-training images, at several scales, behind many blocks."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from grmp.crops import Scale, cut_views, view_weights
from grmp.io import backbone
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import PromptedCLIP, unprompted
from grmp.prior import embed
from grmp.runtime import Runtime, start
from study.data import sets
from study.data.datasets.duplicates import group_alike, hash_images
from study.params import Params

BLOCKS = (7, 8, 9, 10, 11, 12)
CROP = 224
DISTANCE = 10
"""Bits of the hash up to which two images are one content: the set shows many scenes several times."""
View = tuple[Scale, int, bool]
"""A scale, its even crops, and whether they are mirrored."""
Job = tuple[View, bool]
"""A view, and whether it is seen with the trained prompts."""


def sample(manifest: pd.DataFrame, folder: Path, count: int) -> pd.DataFrame:
    """Rows of at least `count` images, whole contents at a time; `reference` names the content."""
    groups = group_alike(hash_images(folder, manifest["image"]), DISTANCE)
    sizes, order = np.bincount(groups), np.random.default_rng(0).permutation(groups.max() + 1)
    enough = order[: np.searchsorted(sizes[order].cumsum(), count) + 1]
    return manifest.assign(reference=groups.astype(str))[np.isin(groups, enough)].reset_index(drop=True)


def file_of(folder: Path, view: View, prompted: bool, of: str = "rated") -> Path:
    """Where the embeddings of `rated` images or of `tasks` at a view are kept below `folder`."""
    scale, crops, mirrored = view
    return folder / f"{of}-{'meta' if prompted else 'plain'}-{scale}x{crops}{'m' * mirrored}.safetensors"


@lru_cache
def load(folder: Path, view: View, prompted: bool, of: str = "rated") -> Float[Tensor, "n block e"]:
    """Embeddings as `embed_all` left them, behind `BLOCKS`, each the mean over the view's crops."""
    return read_checkpoint(file_of(folder, view, prompted, of))[1]["middle"]


def embed_all(
    folder: Path, rated: Path, table: pd.DataFrame, tasks: pd.DataFrame, jobs: Iterable[Job], few: int, settings: Params
) -> None:
    """Embed the rated images of `table` as `jobs` say, and `tasks` at every scale that the jobs have.

    Of any view but those of `image.views`, and without prompts, only `few` images are embedded; the others are NaN.
    What stands in `folder` already is not computed again.
    """
    own, runtime, source = Folders(), start(settings.compute), Path(settings.pretrain.source)
    clip = backbone.load(own.clip, CROP)
    models = {True: load_prompts(own.prompts, clip, settings.prompts), False: unprompted(clip, settings.prompts)}
    usual = {(*view, False) for view in settings.image.views}
    wanted = [(job, rated, table, "rated", None if job[1] and job[0] in usual else few) for job in jobs]
    wanted += [(((scale, 1, False), True), source, tasks, "tasks", None) for scale, _ in settings.image.views]
    for (view, prompted), images, rows, of, count in wanted:
        path = file_of(folder, view, prompted, of)
        if not path.is_file():
            chosen = np.sort(np.random.default_rng(5).permutation(len(rows))[:count])
            model = models[prompted].eval().requires_grad_(False).to(runtime.device)
            write_tensors(path, {"middle": _embed(model, images, rows, view, chosen, runtime)})


def _embed(
    model: PromptedCLIP, folder: Path, table: pd.DataFrame, view: View, rows: np.ndarray, runtime: Runtime
) -> Float[Tensor, "n block e"]:
    views = [view[:2]]
    crops = torch.stack([cut_views(image, views, CROP) for image in sets.read_images(folder, table.iloc[rows])])
    found = torch.full((len(table), len(BLOCKS), model.clip.visual.output_dim), torch.nan)
    found[rows] = embed(model, crops.flip(-1) if view[2] else crops, view_weights(views), BLOCKS, runtime)
    return found
