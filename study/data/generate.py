"""The two generated sets: single distortions to pre-train on, mixtures as the target."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import decode_image
from grmp.io.files import whole
from grmp.progress import Progress
from study.data.distortions import DISTORTIONS, LEVELS, distort
from study.data.labels import similarity
from study.data.photos import Photograph
from study.data.pixels import resize_image
from study.params import Distort
from study.running.parallel import run_pieces

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


def window(image: UInt8[np.ndarray, "h w 3"], recipe: Recipe, least: float) -> UInt8[np.ndarray, "H W 3"]:
    """A random part of the photograph, of its shape; either side is `least` to 1 times the whole.

    Every image made of a photograph so shows other content: prompts cannot learn a distortion by its photographs.
    """
    generator = np.random.default_rng((7, *recipe.seed))
    share = generator.uniform(least, 1.0)
    height, width = (round(share * side) for side in image.shape[:2])
    top, left = (generator.integers(whole - part + 1) for whole, part in zip(image.shape[:2], (height, width)))
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def make(recipe: Recipe, photograph: bytes, settings: Distort) -> tuple[bytes, float]:
    """The image as a JPEG file's bytes, and its similarity to the window of the photograph that it shows.

    Args:
        recipe: what is done to the photograph.
        photograph: its file's bytes.
        settings: `window` and `short_side` are read.

    Raises:
        UserError: the photograph cannot be read.
    """
    reference = window(decode_image(photograph, recipe.photograph.path), recipe, settings.window)
    image = render(recipe, reference)
    shown = BytesIO()
    stored = resize_image(image, min(settings.short_side, *image.shape[:2]))  # never enlarged: that would blur
    Image.fromarray(stored).save(shown, "jpeg", quality=95, subsampling=0)
    return shown.getvalue(), similarity(reference, image)


def _content(photograph: Photograph) -> bytes:
    try:
        return photograph.path.read_bytes()
    except OSError as error:
        raise UserError(f"{photograph.path}: cannot be read ({error.strerror})") from None


def write_images(recipes: list[Recipe], folder: Path, settings: Distort, title: str) -> pd.DataFrame:
    """Make all images below `folder/images`, side by side, and return the set's manifest, still without scores.

    Columns: image, photograph, distortions (numbers in order, such as `7+21`), levels (`3+1`), scene, part,
    similarity (to the window of the photograph, at full size, 0..1).

    Args:
        recipes: of the images.
        folder: of the set.
        settings: `window` and `short_side` are read.
        title: of the progress.

    Raises:
        UserError: a photograph cannot be read, an image cannot be written, or as `run_pieces`.
    """
    progress, values = Progress(title, len(recipes)), []
    made = run_pieces(_make, ((recipe, _content(recipe.photograph)) for recipe in recipes), settings, 1)
    for done, (recipe, (content, value)) in enumerate(zip(recipes, made), 1):
        with whole(folder / "images" / recipe.name) as beside:
            beside.write_bytes(content)
        values.append(value)
        progress.update(done, items=1)
    return pd.DataFrame([_row(recipe) | {"similarity": value} for recipe, value in zip(recipes, values)])


def _make(settings: Distort, recipe: Recipe, photograph: bytes) -> tuple[bytes, float]:
    return make(recipe, photograph, settings)


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
