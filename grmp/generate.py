"""The two generated sets: single distortions to pre-train on, mixtures as the target."""

import hashlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from grmp.decode import read_image
from grmp.distortions import DISTORTIONS, LEVELS, distort
from grmp.errors import UserError
from grmp.files import whole
from grmp.journal import Journal
from grmp.labels import similarity
from grmp.orphans import end_with_pool
from grmp.params import Distort
from grmp.photos import Photograph
from grmp.progress import Progress
from grmp.resize import resize_image

MILD_FIRST = np.array([5, 4, 3, 2, 1]) / 15
"""Chances of levels 1 to 5 in a mixture: two or three strong distortions at once would leave only bad images."""


PATIENCE = 50  # draws per wanted mixture


@dataclass(frozen=True)
class Recipe:
    """How one image is made; `steps` are (distortion number, level) in the order of application."""

    photograph: Photograph
    part: str
    steps: tuple[tuple[int, int], ...]
    seed: tuple[int, ...]

    @property
    def name(self) -> str:
        """File name, such as `dachshund_07-3_21-1.jpg`."""
        return "_".join([self.photograph.name, *(f"{number:02}-{level}" for number, level in self.steps)]) + ".jpg"


def single_recipes(photographs: list[Photograph], levels: int, seed: int) -> list[Recipe]:
    """Every photograph with every distortion type, at `levels` of its five levels."""
    recipes = []
    for index, photo in enumerate(photographs):
        for kind in DISTORTIONS:
            key = (seed, 1, index, kind.number)
            chosen = np.random.default_rng(key).choice(LEVELS, levels, replace=False)
            recipes += [Recipe(photo, "pretrain", ((kind.number, int(n)),), (*key, int(n))) for n in sorted(chosen)]
    return recipes


def mixture_recipes(
    photographs: list[Photograph], part: str, count: int, mixture: tuple[int, int], seed: int
) -> list[Recipe]:
    """`count` mixtures, dealt evenly over the photographs: distinct types, random order, mild levels more often.

    Raises:
        UserError: so many distinct mixtures cannot be found.
    """
    recipes: dict[str, Recipe] = {}
    draws = 0
    while len(recipes) < count:
        key = (seed, 2 if part == "train" else 3, len(recipes), draws)
        generator = np.random.default_rng(key)
        number = generator.integers(mixture[0], mixture[1] + 1)
        kinds = generator.choice([kind.number for kind in DISTORTIONS], number, replace=False)
        levels = generator.choice(LEVELS, number, p=MILD_FIRST)
        steps = tuple((int(kind), int(level)) for kind, level in zip(kinds, levels))
        recipe = Recipe(photographs[len(recipes) % len(photographs)], part, steps, key)
        recipes.setdefault(recipe.name, recipe)  # one that is there already is drawn again
        draws += 1
        if draws > PATIENCE * count:
            raise UserError(
                f"distort.{part}_images: {count} distinct mixtures of {mixture[0]} to {mixture[1]} distortions were "
                f"not found for {len(photographs)} photographs; ask for fewer, or for larger mixtures"
            )
    return list(recipes.values())


def render(recipe: Recipe, image: np.ndarray) -> np.ndarray:
    """The photograph `image` (uint8, H x W x 3) with the recipe's distortions."""
    generator = np.random.default_rng(recipe.seed)
    for number, level in recipe.steps:
        image = distort(image, number, level, generator)
    return image


def _make(recipe: Recipe, folder: Path, short_side: int, journal: Journal) -> float:
    piece = journal.tensors(recipe.name, partial(_rendered, recipe, short_side))
    with whole(folder / recipe.name) as beside:
        beside.write_bytes(piece["jpeg"].numpy().tobytes())
    return float(piece["similarity"])


def _rendered(recipe: Recipe, short_side: int) -> dict[str, Tensor]:
    reference = read_image(recipe.photograph.path)
    image, jpeg = render(recipe, reference), io.BytesIO()
    Image.fromarray(resize_image(image, short_side)).save(jpeg, "JPEG", quality=95, subsampling=0)
    kept = np.frombuffer(jpeg.getvalue(), np.uint8).copy()
    return {
        "jpeg": torch.from_numpy(kept),
        "similarity": torch.tensor(similarity(reference, image), dtype=torch.float64),
    }


def _start_worker() -> None:
    end_with_pool()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """A process per core, each with one thread, all ready to start.

    They are fresh processes: a fork would inherit locks of the parent's thread pools and could wait on them for ever.
    """
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("spawn"), initializer=_start_worker) as pool:
        list(pool.map(abs, range(cores)))
        yield pool


def write_images(
    recipes: list[Recipe], folder: Path, short_side: int, title: str, pool: ProcessPoolExecutor
) -> pd.DataFrame:
    """Make all images below `folder/images` and return the set's manifest, still without scores.

    Images that an interrupted run had made are not made again.

    Columns: image, photograph, distortions (numbers in order, such as `7+21`), levels (`3+1`), scene, part,
    similarity (to the photograph at full size, 0..1).
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    progress, values = Progress(title, len(recipes)), []
    photographs = {recipe.photograph.path for recipe in recipes}
    content = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(photographs)}
    journal = Journal(title, [(recipe.name, recipe.seed) for recipe in recipes], short_side, content)
    jobs = [pool.submit(_make, recipe, images, short_side, journal) for recipe in recipes]
    for done, job in enumerate(jobs, 1):
        values.append(job.result())
        progress.update(done, items=1)
    return pd.DataFrame([_row(recipe) | {"similarity": value} for recipe, value in zip(recipes, values)])


def _row(recipe: Recipe) -> dict[str, str]:
    numbers, levels = zip(*recipe.steps)
    return {
        "image": f"images/{recipe.name}",
        "photograph": recipe.photograph.name,
        "distortions": "+".join(map(str, numbers)),
        "levels": "+".join(map(str, levels)),
        "scene": recipe.photograph.scene,
        "part": recipe.part,
    }


def target_recipes(parts: dict[str, list[Photograph]], settings: Distort, seed: int) -> list[Recipe]:
    """The target's labelled pool and test part, from photographs that neither shares with the other."""
    counts = {"train": settings.train_images, "test": settings.test_images}
    return [
        recipe
        for part, count in counts.items()
        for recipe in mixture_recipes(parts[part], part, count, settings.mixture, seed)
    ]
