"""The two generated sets: single distortions to pre-train on, mixtures as the target."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from grmp.decode import decode_image
from grmp.distortions import DISTORTIONS, LEVELS, distort
from grmp.engine import Engine, Piece
from grmp.errors import UserError
from grmp.files import whole
from grmp.labels import similarity
from grmp.params import Distort
from grmp.photos import Photograph
from grmp.progress import Progress
from grmp.resize import resize_image

MILD_FIRST = np.array([5, 4, 3, 2, 1]) / 15
"""Chances of levels 1 to 5 in a mixture: two or three strong distortions at once would leave only bad images."""


PATIENCE = 50  # draws per wanted mixture
KEPT = 256  # photographs whose files are kept in memory while images are made of them


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


def make(recipe: Recipe, photograph: bytes, short_side: int) -> tuple[bytes, float]:
    """The image as a JPEG file's bytes, and its similarity to the photograph, whose file's bytes are given.

    Raises:
        UserError: the photograph cannot be read.
    """
    reference = decode_image(photograph, recipe.photograph.path)
    image = render(recipe, reference)
    shown = BytesIO()
    Image.fromarray(resize_image(image, short_side)).save(shown, "jpeg", quality=95, subsampling=0)
    return shown.getvalue(), similarity(reference, image)


def _pieces(recipes: list[Recipe], short_side: int, engine: Engine) -> Iterator[Piece]:
    shared = lru_cache(KEPT)(lambda photograph: engine.share(_content(photograph)))
    return ((recipe, shared(recipe.photograph), short_side) for recipe in recipes)


def _content(photograph: Photograph) -> bytes:
    try:
        return photograph.path.read_bytes()
    except OSError as error:
        raise UserError(f"{photograph.path}: cannot be read ({error.strerror})") from None


def write_images(recipes: list[Recipe], folder: Path, short_side: int, title: str, engine: Engine) -> pd.DataFrame:
    """Make all images below `folder/images`, where `engine` runs, and return the set's manifest, still without scores.

    Columns: image, photograph, distortions (numbers in order, such as `7+21`), levels (`3+1`), scene, part,
    similarity (to the photograph at full size, 0..1).

    Raises:
        UserError: a photograph cannot be read, an image cannot be written, or as `Engine.run`.
    """
    progress, values = Progress(title, len(recipes)), []
    made = engine.run(make, _pieces(recipes, short_side, engine))
    for done, (recipe, (content, value)) in enumerate(zip(recipes, made), 1):
        with whole(folder / "images" / recipe.name) as beside:
            beside.write_bytes(content)
        values.append(value)
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
