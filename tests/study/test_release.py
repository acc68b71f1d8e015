from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from ruamel.yaml import YAML

from grmp.io import backbone
from grmp.metrics import srcc
from grmp.scoring.scorer_file import load, read_card
from grmp.settings import Input
from study.data.manifests import read_manifest, write_manifest
from study.data.sets import scores
from study.params import Params
from study.stages import release

SIGHT = Input(views=((48, 2),), crop=48)


def write_set(folder: Path, photographs: int, part: str) -> None:
    """Three images of each photograph: the more noise, the lower the score."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for photograph in range(photographs):
        draw = np.random.default_rng(photograph)
        smooth = np.asarray(Image.fromarray(draw.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((64, 64)), float)
        for level in range(3):
            noisy = (smooth + draw.normal(0, 30 * level, smooth.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"images/{photograph}-{level}.png")
            rows.append((f"images/{photograph}-{level}.png", f"p{photograph}", 0.9 - 0.3 * level))
    table = pd.DataFrame(rows, columns=["image", "photograph", "score"])
    write_manifest(folder, table.assign(part=part, distortions="11", levels="1", scene="animal"))


@pytest.fixture
def stages(
    tmp_path: Path, clip: CLIP, config: dict, settings: Params, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """What earlier stages leave on disk, and the parameters that they ran with."""
    monkeypatch.setattr(release, "SIGHT", SIGHT)
    paths = {
        "clip": tmp_path / "clip.safetensors",
        "taught_by": tmp_path / "pretrain",
        "target": tmp_path / "target",
        "params_path": tmp_path / "params.yaml",
    }
    backbone.save(paths["clip"], clip, config, settings.backbone)
    write_set(paths["taught_by"], 8, "")
    write_set(paths["target"], 4, "test")
    with paths["params_path"].open("w") as file:
        YAML(typ="safe").dump(settings.model_dump(mode="json"), file)
    return paths


def test_distorted_images_teach_and_the_target_measures(
    stages: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "grmp.safetensors"
    release.main(out, **stages)
    card, scorer, manifest = read_card(out), load(out, "cpu"), read_manifest(stages["target"])
    assert card.text() in capsys.readouterr().out
    assert (card.labels.images, card.held_out.images) == (24, 12)
    assert (scorer.probe.settings.share, scorer.view.crop) == (1.0, 48)
    judged = scorer.score([stages["target"] / name for name in manifest["image"]])["quality"].to_numpy()
    assert card.held_out.srcc == pytest.approx(srcc(judged, scores(manifest).numpy()), abs=1e-4)


def test_the_targets_scores_change_no_weight(stages: dict[str, Path], tmp_path: Path) -> None:
    models, cards = [], []
    for _ in range(2):
        release.main(tmp_path / "grmp.safetensors", **stages)
        models.append(load(tmp_path / "grmp.safetensors", "cpu").state_dict())
        cards.append(read_card(tmp_path / "grmp.safetensors"))
        manifest = read_manifest(stages["target"])
        write_manifest(stages["target"], manifest.assign(score=1 - manifest["score"]))
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())
    assert cards[0].held_out.srcc == pytest.approx(-cards[1].held_out.srcc, abs=1e-4)


def test_the_same_study_gives_the_same_bytes(stages: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "other"):
        release.main(tmp_path / f"{name}.safetensors", **stages)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "other.safetensors").read_bytes()
