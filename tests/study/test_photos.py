import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from grmp.errors import UserError
from study.data.photos import PARTS, SCENES, Photograph, read_manifest, split
from study.params import Params, Photos

EMBEDDED = Path(__file__).parents[2] / "assets" / "photos"
SHARES = Photos(folder="data", pretrain=0.5, train=0.25)


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photographs, tmp_path / "photos"))


def change(folder: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    edit(pd.read_csv(folder / "photos.csv")).to_csv(folder / "photos.csv", index=False)


def complaint(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        read_manifest(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_manifest_is_read_in_its_order(photographs: Path) -> None:
    table = pd.read_csv(photographs / "photos.csv")
    read = read_manifest(photographs)
    assert [(photo.path.name, photo.scene, photo.caption) for photo in read] == list(
        table[["file", "scene", "caption"]].itertuples(index=False, name=None)
    )
    assert read[0].name == Path(table["file"][0]).stem
    assert read[0].path.is_file()


def test_the_embedded_photographs_are_whole_and_every_scene_is_there() -> None:
    read = read_manifest(EMBEDDED)
    assert {photo.scene for photo in read} == set(SCENES)
    assert {photo.path for photo in read} == set((EMBEDDED / "images").iterdir())


def test_a_photograph_that_stands_there_twice_is_named(folder: Path) -> None:
    change(folder, lambda table: pd.concat([table, table[:1]]))
    assert f"{pd.read_csv(folder / 'photos.csv')['file'][0]} stands there twice" in complaint(folder)


def test_an_unknown_scene_is_named_with_the_known_ones(folder: Path) -> None:
    change(folder, lambda table: table.assign(scene=["seaside", *table["scene"][1:]]))
    said = complaint(folder)
    assert "`seaside`" in said
    assert "still_life" in said


@pytest.mark.parametrize("column", ["file", "scene", "caption"])
def test_a_missing_column_is_named(folder: Path, column: str) -> None:
    change(folder, lambda table: table.drop(columns=column))
    assert complaint(folder) == f"{folder / 'photos.csv'}: column `{column}` is missing"


def test_a_photograph_that_is_not_there_is_named(folder: Path) -> None:
    path = read_manifest(folder)[3].path
    path.unlink()
    assert complaint(folder).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [None, b"", b"file,scene,caption\na,b,c\na,b,c,d,e\n", b"\xff\xfe\xff"])
def test_a_table_that_cannot_be_read_is_named(folder: Path, content: bytes | None) -> None:
    (folder / "photos.csv").unlink()
    if content is not None:
        (folder / "photos.csv").write_bytes(content)
    assert complaint(folder).startswith(f"{folder / 'photos.csv'}: cannot be read as a table")


def test_an_empty_cell_in_the_table_is_a_named_mistake(folder: Path) -> None:
    change(folder, lambda table: table.assign(file=["", *table["file"][1:]]))
    assert "photos.csv" in complaint(folder)


def made(count: int) -> list[Photograph]:
    return [Photograph(f"{scene}_{n}", Path(f"{n}"), scene, "") for scene in SCENES for n in range(count)]


def names(part: list[Photograph]) -> list[str]:
    return [photo.name for photo in part]


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_share_no_photograph_and_leave_none_out(seed: int) -> None:
    embedded = read_manifest(EMBEDDED)
    parts = split(embedded, SHARES, seed)
    assert tuple(parts) == PARTS
    assert sorted(name for part in parts.values() for name in names(part)) == sorted(names(embedded))


@pytest.mark.parametrize("seed", range(5))
def test_every_part_has_every_scene(seed: int) -> None:
    for part in split(read_manifest(EMBEDDED), SHARES, seed).values():
        assert {photo.scene for photo in part} == set(SCENES)


def test_the_shares_are_kept_in_every_scene() -> None:
    parts = split(made(8), SHARES, seed=3)
    counts = {
        part: {sum(photo.scene == scene for photo in chosen) for scene in SCENES} for part, chosen in parts.items()
    }
    assert counts == {"pretrain": {4}, "train": {2}, "test": {2}}


def test_the_split_follows_the_seed() -> None:
    first, again, other = (split(made(8), SHARES, seed) for seed in (1, 1, 2))
    assert first == again
    assert names(first["test"]) != names(other["test"])


def test_the_repositorys_split_is_possible(settings: Params) -> None:
    parts = split(read_manifest(EMBEDDED), settings.photos, settings.compute.seed)
    assert {photo.scene for photo in parts["pretrain"]} == set(SCENES)


def test_too_few_photographs_are_an_error_that_names_the_part() -> None:
    with pytest.raises(UserError, match="1 photographs are too few: the part `pretrain` got none"):
        split(made(1)[:1], SHARES, seed=1)
