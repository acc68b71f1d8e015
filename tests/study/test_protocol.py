"""The published protocol as a measurement, on the prompts of a study; its honest side is in test_published_recipe."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from open_clip import CLIP
from rated_set import make_rated_set

from grmp.finetune import Outcome
from grmp.io import backbone
from grmp.io.prompts_file import save_prompts
from grmp.model import prompted
from study.params import load
from study.preset import load_preset, parse_changes
from study.stages.protocol import compare, main

ROOT = Path(__file__).parents[2]
BASE, PRESET = ROOT / "human/params.yaml", ROOT / "human/protocol.yaml"
FEW = [
    "compute.precision=fp32",
    "compute.device=cpu",
    "compute.threads=1",
    "image.crop=48",
    "prompts.image_tokens=3",
    "finetune.steps=4",
    "finetune.evaluations=2",
    "grid.labels=[8]",
    "grid.repeats=1",
    "sweep.labels=8",
]


def test_the_preset_has_the_prompts_of_the_study_and_the_published_steps() -> None:
    settings, study = load_preset(BASE, PRESET), load(ROOT / "params.yaml")
    published = load_preset(BASE, ROOT / "human/published.yaml")
    for section in ("compute", "backbone", "prompts", "image"):
        assert getattr(settings, section) == getattr(study, section), section
    same = {"labels", "steps", "batch", "optimiser", "learning_rate", "text_learning_rate", "evaluations", "protocol"}
    assert settings.finetune.model_dump(include=same) == published.finetune.model_dump(include=same)
    assert settings.qgr == published.qgr


def test_the_best_look_is_chosen_by_the_sum_and_their_number_is_named() -> None:
    truth = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    looks = torch.stack([truth.flip(0), truth, torch.tensor([0.1, 0.3, 0.2, 0.7, 0.9])])
    steps = pd.DataFrame()
    row = compare(Outcome([1, 2, 3], looks, steps), Outcome([1], looks[:1], steps), truth)
    assert (row["srcc"], row["srcc_best"], row["looks"]) == (0.9, 1.0, 3)
    assert (row["srcc_plateau"], row["looks_plateau"]) == (-1.0, 1)


def test_the_command_measures_both_protocols_on_the_prompts_of_a_study(
    clip: CLIP, config: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_preset(BASE, PRESET, parse_changes(FEW))
    backbone.save(Path("artifacts/weights/clip.safetensors"), clip, config, settings.backbone)
    save_prompts(Path("artifacts/prompts/prompts.safetensors"), prompted(clip, settings.prompts))
    make_rated_set(tmp_path / "rated")
    main(tmp_path / "rated", base=BASE, preset=PRESET, change=FEW)
    table = pd.read_csv("reports/protocol/results.csv")
    assert table[["labels", "count", "repeat", "looks", "looks_plateau"]].to_numpy().tolist() == [[8, 8, 1, 2, 2]]
    page = Path("reports/protocol/README.md").read_text(encoding="utf-8")
    assert "Medians over 1 splits of LIVEC, with the prompts of `make study`" in page
    assert "; cpu, fp32. Only" in page
