import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip import CLIP
from tiny_study import make_study

from grmp.errors import UserError
from study.playground.explore import PRETRAINED, Choice
from study.playground.explore_study import FRESH, read_explorer
from study.stages import features


@pytest.fixture(autouse=True)
def study(tmp_path: Path, photographs: Path, clip: CLIP, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny finished study, in the current folder."""
    make_study(tmp_path, photographs, clip)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_photographs_are_named_by_scene_and_part_and_the_unseen_come_first() -> None:
    names = list(read_explorer().photographs)
    assert len(names) == 12
    parts = [name.split("(")[1] for name in names]
    assert parts == sorted(parts, key=["test)", "train)", "pretrain)"].index)
    assert {name.split(":")[0] for name in names} == {"animal", "indoor", "night"}


def test_the_pool_has_one_embedding_of_length_one_per_training_image() -> None:
    pool = read_explorer().labelled
    assert set(pool.manifest["part"]) == {"train"}
    assert pool.embeddings.shape == (6, 16)
    torch.testing.assert_close(pool.embeddings.norm(dim=1), torch.ones(6))


def test_fresh_and_pre_trained_prompts_differ_and_are_the_same_on_every_start() -> None:
    once, again = read_explorer(), read_explorer()
    choice = Choice(next(iter(once.photographs)), 10, 3)
    for name in (PRETRAINED, FRESH):
        assert once.view(name, choice).quality == again.view(name, choice).quality
    assert not np.allclose(once.view(PRETRAINED, choice).embedding, once.view(FRESH, choice).embedding)


def test_every_checkpoint_can_be_chosen_and_none_is_read_before(study: Path) -> None:
    (study / "artifacts/checkpoints").mkdir()
    for name in ("full-50", "full-10"):
        (study / f"artifacts/checkpoints/{name}.safetensors").touch()
    assert list(read_explorer().models) == [PRETRAINED, FRESH, "full-10", "full-50"]


def test_a_scoring_checkpoint_is_looked_into(study: Path, checkpoint: Path) -> None:
    (study / "artifacts/checkpoints").mkdir()
    checkpoint.rename(study / "artifacts/checkpoints/mine.safetensors")
    explorer = read_explorer()
    choice = Choice(next(iter(explorer.photographs)), 10, 3)
    assert 0 < explorer.view("mine", choice).quality < 1


@pytest.mark.parametrize(
    "name",
    [
        "data/photos.csv",
        "artifacts/weights/clip.safetensors",
        "artifacts/prompts/prompts.safetensors",
        "artifacts/features/meta.safetensors",
        "artifacts/distorted/target/manifest.csv",
        "artifacts/distorted/label_map.json",
    ],
)
def test_what_is_missing_is_named_in_one_line(study: Path, name: str) -> None:
    (study / name).unlink()
    with pytest.raises(UserError, match=Path(name).name) as error:
        read_explorer()
    assert "\n" not in str(error.value)


def test_nothing_at_all_is_a_line_too(study: Path) -> None:
    shutil.rmtree(study / "artifacts")
    with pytest.raises(UserError, match="dvc repro"):
        read_explorer()


def test_features_of_another_study_are_refused(study: Path) -> None:
    path = study / "artifacts/features/meta.safetensors"
    features.save(path, features.load(path).at(torch.arange(5)))
    with pytest.raises(UserError, match="5 images, but the target has 8"):
        read_explorer()
