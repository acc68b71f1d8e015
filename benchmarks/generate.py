"""The 125 variants of a photograph: a plain loop on one core against `study.data.generate.write_images` on two."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import cv2
import torch
import typer
from PIL import Image

from benchmarks import measure, table
from benchmarks.options import Pairs, command
from grmp.io.decode import read_image
from grmp.runtime import Runtime
from study import params
from study.command import run_command
from study.data import photos
from study.data.distortions import LEVELS
from study.data.generate import Recipe, render, single_recipes, write_images
from study.data.labels import similarity
from study.data.pixels import resize_image

CPU = Runtime(torch.device("cpu"), "fp32")


def plain_loop(recipes: list[Recipe], folder: Path, short_side: int) -> None:
    """Read, distort, shrink, write and compare, one recipe after another."""
    folder.mkdir(parents=True, exist_ok=True)
    for recipe in recipes:
        photograph = read_image(recipe.photograph.path)
        image = render(recipe, photograph)
        stored = resize_image(image, min(short_side, *image.shape[:2]))
        Image.fromarray(stored).save(folder / recipe.name, quality=95, subsampling=0)
        similarity(photograph, image)


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold files of the same names and bytes."""
    names = sorted(path.name for path in one.iterdir())
    there = sorted(path.name for path in other.iterdir())
    return names == there and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def main(
    photograph: Annotated[int, typer.Option(min=1, help="which of the embedded photographs, counted from 1")] = 1,
    levels: Annotated[int, typer.Option(min=1, max=5, help="levels of each of the 25 types")] = len(LEVELS),
    cores: Annotated[int, typer.Option(min=1, help="cores that ours may use")] = 2,
    pairs: Pairs = 9,
) -> None:
    """Measure one row of the table of generated images."""
    recipes = single_recipes(
        [photos.read_manifest(table.FOLDER.parent / "assets/photos")[photograph - 1]], levels, seed=1
    )
    settings = params.load(table.FOLDER.parent / "params.yaml").distort.model_copy(update={"window": 1.0})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    allowed = sorted(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        plain, ours = Path(folder) / "plain", Path(folder) / "ours"
        os.sched_setaffinity(0, allowed[:cores])  # which the workers inherit
        sides = (
            lambda: plain_loop(recipes, plain, settings.short_side),
            lambda: write_images(recipes, ours, settings, "ours"),
        )
        for side in sides:
            side()
        found = measure.in_turn(*sides, pairs)
        equal = same_files(plain, ours / "images")
    row = {**measure.machine(CPU), "variants": len(recipes), "cores": cores, **found.row(len(recipes))}
    table.keep("generate", command(), row | {"same_bytes": equal})


if __name__ == "__main__":
    run_command(main)
