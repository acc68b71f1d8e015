from pathlib import Path

import pandas as pd
import pytest
import torch
from open_clip import CLIP
from ruamel.yaml import YAML

from grmp import features
from grmp.features import frozen_features
from grmp.io import backbone
from grmp.io.prior_file import save
from grmp.io.prompts_file import save_prompts
from grmp.metrics import srcc
from grmp.model import PromptedCLIP, prompted
from grmp.prior import Prior
from grmp.runtime import Runtime
from grmp.scoring.scorer import Input
from grmp.scoring.scorer_file import load, read_card
from study.data.sets import read_manifest, scores, write_manifest
from study.params import Params
from study.stages import release

PARTS = ["train"] * 8 + ["test"] * 6


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (14, 2, 3, 48, 48), dtype=torch.uint8)


@pytest.fixture
def stages(
    tmp_path: Path,
    clip: CLIP,
    config: dict,
    model: PromptedCLIP,
    settings: Params,
    runtime: Runtime,
    crops: torch.Tensor,
    prior: Prior,
) -> dict[str, Path]:
    """What earlier stages leave on disk, and the parameters that they ran with."""
    names = ("clip.safetensors", "prompts.safetensors", "features", "target", "prior.safetensors", "params.yaml")
    keys = ("clip", "prompts", "features", "target", "prior", "params_path")
    paths = dict(zip(keys, (tmp_path / name for name in names)))
    backbone.save(paths["clip"], clip, config, settings.backbone)
    save_prompts(paths["prompts"], model)
    save(paths["prior"], prior, model, settings.finetune.probe_blocks)
    plain = prompted(clip, settings.prompts.model_copy(update={"image_tokens": 0})).eval()
    for name, chosen in (("plain", plain), ("meta", model)):
        found = frozen_features(chosen, crops, 1, runtime, name, probe_blocks=settings.finetune.probe_blocks)
        features.save(paths["features"] / f"{name}.safetensors", found)
    with paths["params_path"].open("w") as file:
        YAML(typ="safe").dump(settings.model_dump(mode="json"), file)
    paths["target"].mkdir()
    rows = {"image": "x.jpg", "photograph": "a", "distortions": "1", "levels": "1", "scene": "animal"}
    drawn = torch.rand(len(PARTS)).tolist()
    write_manifest(paths["target"], pd.DataFrame({"score": drawn, "part": PARTS} | rows))
    return paths


def test_the_pools_labels_are_learned_and_the_test_part_measures(
    stages: dict[str, Path], tmp_path: Path, crops: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "grmp.safetensors"
    release.main(out, **stages)
    card = read_card(out)
    assert card.text() in capsys.readouterr().out
    assert (card.labels.images, card.held_out.images) == (8, 6)
    manifest = read_manifest(stages["target"])
    true = scores(manifest[manifest["part"] == "test"]).numpy()
    scorer = load(out, "cpu")
    assert scorer.probe.settings.share == 0.7
    scorer.view = Input(views=((48, 1),), crop=48)  # the crops are judged as they are
    views = scorer(crops[8:].flatten(0, 1) / 255)
    predicted = views.unflatten(0, (6, 2)).mean(dim=1).numpy()
    assert card.held_out.srcc == pytest.approx(srcc(predicted, true), abs=1e-4)


def test_corrupting_the_test_scores_changes_no_weight(stages: dict[str, Path], tmp_path: Path) -> None:
    models, cards = [], []
    for _ in range(2):
        release.main(tmp_path / "grmp.safetensors", **stages)
        models.append(load(tmp_path / "grmp.safetensors", "cpu").state_dict())
        cards.append(read_card(tmp_path / "grmp.safetensors"))
        manifest = read_manifest(stages["target"])
        test = manifest["part"] == "test"
        write_manifest(stages["target"], manifest.assign(score=manifest["score"].where(~test, 1 - manifest["score"])))
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())
    assert cards[0].held_out.srcc == pytest.approx(-cards[1].held_out.srcc, abs=1e-4)


def test_the_same_study_gives_the_same_bytes(stages: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "other"):
        release.main(tmp_path / f"{name}.safetensors", **stages)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "other.safetensors").read_bytes()
