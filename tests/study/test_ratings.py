from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image
from ruamel.yaml import YAML

from grmp.errors import UserError
from study.data.manifests import read_manifest
from study.data.ratings import development_manifest, main, rated_manifest
from study.data.sets import folds
from study.params import Target

NAMES = [f"images/{n:02}.png" for n in range(30)]
ROLES = ["train"] * 21 + ["val"] * 3 + ["test"] * 6


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """Thirty rated images, and two splits that name their scenes."""
    (tmp_path / "images").mkdir()
    (tmp_path / "splits").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 40, 3), dtype=np.uint8)
    for name, pixels in zip(NAMES, noise):
        Image.fromarray(pixels).save(tmp_path / name)
    pd.DataFrame({"image": NAMES, "mos": range(30)}).to_csv(tmp_path / "scores.csv", index=False)
    bare = [Path(name).name for name in NAMES]
    for number, roles in enumerate((ROLES, ROLES[::-1]), 1):
        split = pd.DataFrame({"image": bare, "role": roles, "scene": "night"})
        split.sample(frac=1, random_state=1).to_csv(tmp_path / f"splits/{number:02}.csv", index=False)
    return Target(
        title="made up",
        report="made_up",
        name="csv",
        folder=str(tmp_path),
        scale=(0, 100),
        splits=str(tmp_path / "splits"),
        development=1,
        held_back=0,
        fit="crops",
    )


def test_roles_scores_and_scenes_are_the_images(target: Target) -> None:
    manifest = rated_manifest(target, 2, seed=1)
    assert manifest["image"].tolist() == NAMES
    assert manifest["score"].tolist() == pytest.approx([n / 100 for n in range(30)])
    assert set(manifest["scene"]) == {"night"}
    assert manifest["part_1"].tolist() == ["train"] * 24 + ["test"] * 6


def test_images_that_settings_were_chosen_on_test_in_no_repeat(target: Target) -> None:
    used = target.model_copy(update={"splits": target.splits, "development": 2})
    manifest = rated_manifest(used, 2, seed=1)
    chosen_on = set(NAMES[6:9])  # val of the second split
    for fold in folds(manifest, 2):
        assert not chosen_on & set(manifest["image"].iloc[fold.test.tolist()])
    assert set(manifest.loc[manifest["image"].isin(chosen_on), "part_1"]) == {"train"}


def test_without_a_development_set_all_test_images_test(target: Target) -> None:
    manifest = rated_manifest(target.model_copy(update={"development": 0}), 2, seed=1)
    assert [(manifest[f"part_{n}"] == "test").sum() for n in (1, 2)] == [6, 6]


def test_splits_can_be_drawn(target: Target) -> None:
    drawn = target.model_copy(update={"splits": "random", "development": 0})
    one, again = (rated_manifest(drawn, 3, seed=1) for _ in range(2))
    assert one.equals(again)
    assert [(one[f"part_{n}"] == "test").sum() for n in (1, 2, 3)] == [6, 6, 6]
    assert not one["part_1"].equals(one["part_2"])


def test_too_few_splits_are_counted(target: Target) -> None:
    with pytest.raises(UserError, match=r"has 2 splits \(\*\.csv\), but grid\.repeats asks for 3"):
        rated_manifest(target, 3, seed=1)


def test_images_held_back_are_in_no_repeat_and_always_the_same(target: Target) -> None:
    drawn = target.model_copy(update={"splits": "random", "development": 0})
    few, fewer = (rated_manifest(drawn.model_copy(update={"held_back": n}), 2, seed=n) for n in (5, 12))
    assert len(few) == 25
    assert len(fewer) == 18
    assert set(fewer["image"]) < set(few["image"])
    assert set(few["part_1"]) == set(few["part_2"]) == {"train", "test"}


def test_files_with_splits_hold_no_image_back(target: Target) -> None:
    with pytest.raises(ValueError, match="held_back"):
        Target.model_validate(target.model_dump() | {"held_back": 5})


def test_a_development_split_that_is_not_there_is_told(target: Target) -> None:
    with pytest.raises(UserError, match="there is no split 5 of 2"):
        rated_manifest(target.model_copy(update={"development": 5}), 2, seed=1)


def test_settings_are_chosen_on_images_that_test_nowhere(target: Target) -> None:
    chosen_on = folds(development_manifest(target, 2, seed=1), 2)
    assert {tuple(fold.test.tolist()) for fold in chosen_on} == {(21, 22, 23)}
    assert chosen_on[0].train.tolist() == list(range(21))
    reported = folds(rated_manifest(target, 2, seed=1), 2)
    assert not any(set(chosen_on[0].test.tolist()) & set(fold.test.tolist()) for fold in reported)


def test_without_a_development_set_nothing_can_be_chosen(target: Target) -> None:
    with pytest.raises(UserError, match=r"target\.development"):
        development_manifest(target.model_copy(update={"development": 0}), 2, seed=1)


@pytest.mark.parametrize(("development", "counts"), [(False, "24 to train on, 6 to"), (True, "21 to train on, 3 to")])
def test_the_command_writes_the_manifest_and_counts_the_first_repeat(
    target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str], development: bool, counts: str
) -> None:
    yaml = YAML()
    content = yaml.load(ROOT / "human/params.yaml")
    content["target"].update(target.model_dump(mode="json"))
    content["grid"]["repeats"] = 2
    yaml.dump(content, tmp_path / "params.yaml")
    main(tmp_path / "made", tmp_path / "params.yaml", development)
    assert counts in capsys.readouterr().out
    assert len(read_manifest(tmp_path / "made")) == 30
