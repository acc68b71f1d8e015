from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import read_image
from study.data.distortions import distort
from study.data.generate import (
    Recipe,
    make,
    mixture_recipes,
    render,
    single_recipes,
    target_recipes,
    window,
    write_images,
)
from study.data.labels import similarity
from study.data.photos import Photograph, read_manifest, split
from study.params import Params, Photos, load

SETTINGS = load(ROOT / "params.yaml").distort.model_copy(update={"short_side": 48})
COLUMNS = ["image", "photograph", "distortions", "levels", "scene", "part", "similarity"]


@pytest.fixture
def photos(photographs: Path) -> list[Photograph]:
    return read_manifest(photographs)


@pytest.fixture(scope="module")
def made(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Recipe], pd.DataFrame]:
    """Three images and their manifest."""
    folder = tmp_path_factory.mktemp("set")
    photos = read_manifest(photographs)
    recipes = mixture_recipes(photos, "train", 2, (2, 3), seed=1) + single_recipes(photos[:1], 1, seed=1)[10:11]
    return folder, recipes, write_images(recipes, folder, SETTINGS, "test")


def test_single_distortions_are_every_type_at_as_many_levels(photos: list[Photograph]) -> None:
    recipes = single_recipes(photos, 2, seed=1)
    assert len(recipes) == len({recipe.name for recipe in recipes}) == len(photos) * 25 * 2
    kinds = Counter((recipe.photograph.name, recipe.steps[0][0]) for recipe in recipes)
    assert set(kinds.values()) == {2}
    assert {recipe.steps[0][1] for recipe in recipes} == {1, 2, 3, 4, 5}
    assert all(len(recipe.steps) == 1 and recipe.part == "pretrain" for recipe in recipes)


def test_mixtures_have_distinct_types_and_the_asked_number_of_them(photos: list[Photograph]) -> None:
    recipes = mixture_recipes(photos, "test", 300, (2, 3), seed=1)
    assert {len(recipe.steps) for recipe in recipes} == {2, 3}
    assert all(len({kind for kind, _ in recipe.steps}) == len(recipe.steps) for recipe in recipes)
    assert {kind for recipe in recipes for kind, _ in recipe.steps} == set(range(1, 26))


def test_mild_levels_come_more_often(photos: list[Photograph]) -> None:
    levels = Counter(level for recipe in mixture_recipes(photos, "train", 400, (2, 3), 1) for _, level in recipe.steps)
    assert [levels[level] for level in (1, 2, 3, 4, 5)] == sorted(levels.values(), reverse=True)


def test_mixtures_are_dealt_evenly_over_the_photographs(photos: list[Photograph]) -> None:
    recipes = mixture_recipes(photos, "train", 2 * len(photos) + 1, (2, 2), seed=1)
    counts = Counter(recipe.photograph.name for recipe in recipes)
    assert sorted(counts.values()) == [2] * (len(photos) - 1) + [3]


def test_no_two_mixtures_share_a_file(photos: list[Photograph]) -> None:
    recipes = mixture_recipes(photos[:2], "train", 160, (1, 1), seed=1)  # of 250 that are possible
    assert len({recipe.name for recipe in recipes}) == 160
    assert Counter(recipe.photograph.name for recipe in recipes) == {photo.name: 80 for photo in photos[:2]}


@pytest.mark.parametrize(
    "make", [lambda p, s: single_recipes(p, 2, s), lambda p, s: mixture_recipes(p, "test", 9, (2, 3), s)]
)
def test_recipes_follow_the_seed(photos: list[Photograph], make) -> None:
    assert make(photos, 1) == make(photos, 1)
    assert [recipe.steps for recipe in make(photos, 1)] != [recipe.steps for recipe in make(photos, 2)]


def test_every_image_draws_its_own_noise(photos: list[Photograph]) -> None:
    parts = [
        single_recipes(photos, 2, 1),
        *(mixture_recipes(photos, part, 50, (2, 3), 1) for part in ("train", "test")),
    ]
    seeds = [recipe.seed for recipes in parts for recipe in recipes]
    assert len(set(seeds)) == len(seeds)


def test_the_parts_of_the_study_share_no_photograph(photos: list[Photograph], settings: Params) -> None:
    parts = split(photos, Photos(folder="data", pretrain=0.5, train=0.25), seed=1)
    distort = settings.distort.model_copy(update={"train_images": 7, "test_images": 5})
    recipes = target_recipes(parts, distort, seed=1) + single_recipes(parts["pretrain"], 1, seed=1)
    used = {part: {r.photograph.name for r in recipes if r.part == part} for part in ("pretrain", "train", "test")}
    assert sum(map(len, used.values())) == len(set.union(*used.values()))
    assert Counter(r.part for r in recipes if r.part != "pretrain") == {"train": 7, "test": 5}


def test_a_file_name_tells_the_recipe(photos: list[Photograph]) -> None:
    assert Recipe(photos[0], "test", ((7, 3), (21, 1)), (1,)).name == f"{photos[0].name}_07-3_21-1.jpg"


def test_distortions_are_applied_in_order_to_what_the_former_left(photos: list[Photograph]) -> None:
    image = read_image(photos[0].path)
    generator = np.random.default_rng((5, 6))
    expected = distort(distort(image, 11, 4, generator), 1, 3, generator)  # noise, then blur
    found = render(Recipe(photos[0], "test", ((11, 4), (1, 3)), (5, 6)), image)
    np.testing.assert_array_equal(found, expected)
    assert (render(Recipe(photos[0], "test", ((1, 3), (11, 4)), (5, 6)), image) != expected).any()


def test_the_manifest_has_its_columns_and_a_row_per_recipe(made: tuple[Path, list[Recipe], pd.DataFrame]) -> None:
    folder, recipes, manifest = made
    assert list(manifest.columns) == COLUMNS
    assert manifest["image"].tolist() == [f"images/{recipe.name}" for recipe in recipes]
    assert manifest["part"].tolist() == ["train", "train", "pretrain"]
    assert manifest["photograph"].tolist() == [recipe.photograph.name for recipe in recipes]
    assert manifest["scene"].tolist() == [recipe.photograph.scene for recipe in recipes]
    steps = zip(manifest["distortions"].str.split("+"), manifest["levels"].str.split("+"))
    assert [tuple(zip(map(int, kinds), map(int, levels))) for kinds, levels in steps] == [r.steps for r in recipes]
    assert {path.name for path in (folder / "images").iterdir()} == {recipe.name for recipe in recipes}


def test_images_have_the_asked_shorter_side_and_the_photographs_shape(
    made: tuple[Path, list[Recipe], pd.DataFrame],
) -> None:
    folder, recipes, _ = made
    for recipe in recipes:
        with Image.open(folder / "images" / recipe.name) as image, Image.open(recipe.photograph.path) as photo:
            assert min(image.size) == 48
            assert image.width / image.height == pytest.approx(photo.width / photo.height, rel=0.02)


def test_the_similarity_is_that_to_the_window_at_full_size(made: tuple[Path, list[Recipe], pd.DataFrame]) -> None:
    _, recipes, manifest = made
    reference = window(read_image(recipes[0].photograph.path), recipes[0], SETTINGS.window)
    assert manifest["similarity"][0] == pytest.approx(similarity(reference, render(recipes[0], reference)), abs=1e-6)
    assert manifest["similarity"].between(0, 1, inclusive="neither").all()


def test_a_window_is_a_part_of_the_photograph_of_its_shape(photos: list[Photograph]) -> None:
    image = read_image(photos[0].path)
    height, width = image.shape[:2]
    places = np.arange(height * width * 3).reshape(image.shape)  # every pixel tells where it was
    sides = []
    for recipe in mixture_recipes(photos[:1], "train", 30, (2, 3), seed=1):
        part = window(places, recipe, 0.5)
        top, left = divmod(part[0, 0, 0] // 3, width)
        np.testing.assert_array_equal(part, places[top : top + len(part), left : left + part.shape[1]])
        assert part.shape[1] / len(part) == pytest.approx(width / height, rel=0.02)
        sides.append(len(part) / height)
    assert 0.49 < min(sides) < 0.6
    assert 0.9 < max(sides) <= 1
    np.testing.assert_array_equal(window(image, recipe, 1.0), image)


def test_the_same_recipe_gives_the_same_bytes_whatever_came_before(
    made: tuple[Path, list[Recipe], pd.DataFrame],
) -> None:
    folder, recipes, manifest = made
    for recipe, value in reversed(list(zip(recipes, manifest["similarity"], strict=True))):
        np.random.seed(len(recipe.name))  # noqa: NPY002 (a draw from the global generator would show)
        content, found = make(recipe, recipe.photograph.path.read_bytes(), SETTINGS)
        assert found == value
        assert content == (folder / "images" / recipe.name).read_bytes()


def test_a_photograph_that_has_gone_is_named(photos: list[Photograph], tmp_path: Path) -> None:
    gone = replace(photos[0], path=tmp_path / "gone.jpg")
    with pytest.raises(UserError, match=r"gone\.jpg: cannot be read \(No such file"):
        write_images(single_recipes([gone], 1, 1)[:1], tmp_path, SETTINGS, "test")


def test_more_mixtures_than_there_are_is_an_error_and_no_endless_search(photographs: Path) -> None:
    photos = read_manifest(photographs)[:1]
    with pytest.raises(UserError, match=r"distort\.train_images: 200 distinct"):
        mixture_recipes(photos, "train", 200, (1, 1), 1)
