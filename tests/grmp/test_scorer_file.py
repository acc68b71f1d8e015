import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from open_clip import CLIP

import grmp
from grmp.errors import UserError
from grmp.io import backbone
from grmp.io.identity import describe
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.model import prompted
from grmp.probe import Probe, ProbeSettings
from grmp.scoring import scorer_file
from grmp.scoring.card import Card
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import load, read_card, save
from grmp.settings import Input
from study.params import Params


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as error:
        load(path, "cpu")
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_saved_gives_equal_scores(checkpoint: Path, scorer: Scorer) -> None:
    again, images = grmp.load(checkpoint, "cpu"), torch.rand(2, 3, 70, 90)
    assert torch.equal(again(images), scorer(images))
    assert again.view == scorer.view
    assert not any(weight.requires_grad for weight in again.parameters())


def test_the_file_needs_no_other(checkpoint: Path, scorer: Scorer) -> None:
    for other in checkpoint.parent.iterdir():
        if other != checkpoint:
            other.unlink()
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(load(str(checkpoint), "cpu")(images), scorer(images))


def test_another_crop_than_the_pre_trainings_comes_back(
    tmp_path: Path, config: dict, settings: Params, clip: CLIP, card: Card
) -> None:
    path = tmp_path / "clip.safetensors"
    backbone.save(path, clip, config, settings.backbone)
    scorer = Scorer(prompted(backbone.load(path, crop=32), settings.prompts), Input(views=((40, 2),), crop=32))
    save(tmp_path / "scorer.safetensors", scorer, path, settings.prompts, card)
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(load(tmp_path / "scorer.safetensors", "cpu")(images), scorer(images))


@pytest.fixture
def probed(tmp_path: Path, scorer: Scorer, checkpoint: Path, settings: Params, card: Card) -> Path:
    """The scorer with a probe on disk."""
    probe = Probe(ProbeSettings(blocks=(2, 3), share=0.5), 16)
    probe.weight.copy_(torch.randn(2, 16))
    path, clip = tmp_path / "probed.safetensors", checkpoint.with_name("clip.safetensors")
    save(path, Scorer(scorer.model, scorer.view, probe), clip, settings.prompts, card)
    return path


def test_a_probe_comes_back(probed: Path, scorer: Scorer) -> None:
    images, again = torch.rand(1, 3, 64, 64), load(probed, "cpu")
    assert again.probe.settings == ProbeSettings(blocks=(2, 3), share=0.5)
    assert torch.equal(again(images), Scorer(scorer.model, scorer.view, again.probe)(images))
    assert not torch.equal(again(images), scorer(images))


@pytest.mark.parametrize(
    "value", ["null", '{"blocks": [0], "share": 0.5}', '{"blocks": [2], "share": 2.0}', '{"blocks": [2]}', "[]"]
)
def test_a_probe_that_is_not_as_described_is_named(probed: Path, value: str) -> None:
    about, state = read_checkpoint(probed)
    write_tensors(probed, state, {**about, "probe": value})
    said = complaint(probed)
    assert "is no scoring checkpoint" in said or "of another architecture" in said


def test_the_card_comes_back(checkpoint: Path, card: Card) -> None:
    assert read_card(checkpoint) == card


def test_the_file_says_which_clip_it_holds(checkpoint: Path) -> None:
    assert describe(checkpoint) == describe(checkpoint.with_name("clip.safetensors"))


def test_loading_leaves_no_trace_in_the_random_numbers(checkpoint: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    load(checkpoint, "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_missing_file_is_told_with_the_remedy(tmp_path: Path) -> None:
    said = complaint(tmp_path / "none.safetensors")
    assert "no such checkpoint" in said
    assert "grmp fit" in said


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(checkpoint: Path, share: float) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[: int(share * checkpoint.stat().st_size)])
    assert "is not a whole safetensors file" in complaint(checkpoint)
    with pytest.raises(UserError, match="is not a whole"):
        read_card(checkpoint)


def test_a_foreign_file_is_named(checkpoint: Path) -> None:
    assert "is no scoring checkpoint" in complaint(checkpoint.with_name("clip.safetensors"))
    checkpoint.write_text("a text")
    assert "is not a whole safetensors file" in complaint(checkpoint)


@pytest.mark.parametrize("key", ["config", "backbone", "prompts", "input", "card"])
@pytest.mark.parametrize("value", [None, "no json", "{}"])
def test_an_incomplete_description_is_named(checkpoint: Path, key: str, value: str | None) -> None:
    about, state = read_checkpoint(checkpoint)
    about = {name: text for name, text in {**about, key: value}.items() if text is not None}
    write_tensors(checkpoint, state, about)
    said = complaint(checkpoint)
    assert "is no scoring checkpoint" in said or "of another architecture" in said


def test_weights_that_do_not_fit_the_description_are_named(checkpoint: Path) -> None:
    about, state = read_checkpoint(checkpoint)
    wider = json.loads(about["prompts"]) | {"image_tokens": 7}
    write_tensors(checkpoint, state, {**about, "prompts": json.dumps(wider)})
    assert "of another architecture" in complaint(checkpoint)
    write_tensors(checkpoint, {name: value for name, value in state.items() if "ln_final" not in name}, about)
    assert "of another architecture" in complaint(checkpoint)


def test_a_gpu_that_is_not_there_is_told(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device is cuda"):
        load(checkpoint, "cuda")


def test_the_package_has_nothing_else_to_load() -> None:
    assert grmp.load is scorer_file.load
    with pytest.raises(AttributeError, match="unload"):
        _ = grmp.unload


def test_importing_the_package_imports_no_torch_and_has_threads_spin_a_little() -> None:
    code = "import os, sys, grmp; print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1000"]


def test_what_scores_imports_no_library_that_only_fits_or_tabulates() -> None:
    code = "import sys, grmp.scoring.inputs, grmp.scoring.rows, grmp.scoring.scorer_file; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "grmp.probe" in loaded
    assert not {"pandas", "scipy", "sklearn"} & {*loaded}
