"""The two generated sets: single distortions to pre-train on, mixtures as the target."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image

from grmp.decode import read_image
from grmp.distortions import DISTORTIONS, LEVELS, distort
from grmp.errors import UserError
from grmp.labels import similarity
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


def _make(recipe: Recipe, folder: Path, short_side: int) -> float:
    reference = read_image(recipe.photograph.path)
    image = render(recipe, reference)
    shown = Image.fromarray(resize_image(image, short_side))
    shown.save(folder / recipe.name, quality=95, subsampling=0)
    return similarity(reference, image)


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """A process per core, each with one thread, all ready to start.

    They are fresh processes: a fork would inherit locks of the parent's thread pools and could wait on them for ever.

    Raises:
        UserError: a worker was killed.
    """
    cores = os.cpu_count() or 1
    try:
        with ProcessPoolExecutor(cores, get_context("spawn"), initializer=_one_thread) as pool:
            list(pool.map(abs, range(cores)))
            yield pool
    except BrokenProcessPool:
        raise UserError(f"one of {cores} worker processes was killed, most often for want of memory") from None


def write_images(
    recipes: list[Recipe], folder: Path, short_side: int, title: str, pool: ProcessPoolExecutor
) -> pd.DataFrame:
    """Make all images below `folder/images` and return the set's manifest, still without scores.

    Columns: image, photograph, distortions (numbers in order, such as `7+21`), levels (`3+1`), scene, part,
    similarity (to the photograph at full size, 0..1).
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    progress, values = Progress(title, len(recipes)), []
    jobs = [pool.submit(_make, recipe, images, short_side) for recipe in recipes]
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
