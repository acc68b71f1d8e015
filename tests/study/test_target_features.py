from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from ruamel.yaml import YAML

from grmp.errors import UserError
from grmp.features import Features
from grmp.io import backbone
from grmp.io.prompts_file import save_prompts
from grmp.io.tensors import write_tensors
from grmp.model import PromptedCLIP
from study.data.manifests import write_manifest
from study.params import Params
from study.stages import features
from study.stages.features import load, save

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/grmp/test_towers.py says why
PARTS = ["train", "test", "train", "test", "test"]


@pytest.mark.parametrize("middle", [None, torch.randn(2, 1, 3, 5)])
def test_what_is_kept_comes_back(tmp_path: Path, middle: torch.Tensor | None) -> None:
    made = Features(torch.randn(2, 1, 3, 4).bfloat16(), torch.randn(2, 1, 5), torch.ones(1), middle)
    save(tmp_path / "features.safetensors", made)
    read = load(tmp_path / "features.safetensors")
    assert read.tensors().keys() == made.tensors().keys()
    assert all(torch.equal(value, made.tensors()[name]) for name, value in read.tensors().items())


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    save(path, Features(torch.ones(2, 1, 3, 4), torch.ones(2, 1, 5), torch.ones(1)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"features\.safetensors: is not a whole"):
        load(path)


@pytest.fixture
def stages(tmp_path: Path, clip: CLIP, config: dict, model: PromptedCLIP, settings: Params) -> dict[str, Path]:
    """What earlier stages leave, and the parameters that they ran with."""
    paths = {
        "target": tmp_path / "target",
        "clip_path": tmp_path / "clip.safetensors",
        "prompts_path": tmp_path / "prompts.safetensors",
        "params_path": tmp_path / "params.yaml",
    }
    backbone.save(paths["clip_path"], clip, config, settings.backbone)
    save_prompts(paths["prompts_path"], model)
    with paths["params_path"].open("w") as file:
        YAML(typ="safe").dump(settings.model_dump(mode="json"), file)
    (tmp_path / "target/images").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (5, 50, 60, 3), dtype=np.uint8)
    names = [f"images/{n}.png" for n in range(5)]
    for name, image in zip(names, noise):
        Image.fromarray(image).save(tmp_path / "target" / name)
    rows = {"score": 0.5, "photograph": "a", "distortions": "1", "levels": "1", "scene": "animal", "part": PARTS}
    write_manifest(tmp_path / "target", pd.DataFrame({"image": names, **rows}))
    return paths


def test_the_stage_keeps_plain_and_prompted_features_of_the_target(
    stages: dict[str, Path], tmp_path: Path, model: PromptedCLIP
) -> None:
    features.main(tmp_path, **stages)
    plain, meta = (load(tmp_path / f"{prompts}.safetensors") for prompts in ("plain", "meta"))
    assert plain.tokens.shape == meta.tokens.shape == (5, 2, 10, 64)
    torch.testing.assert_close(model.embed_from(meta.tokens[:, 0], 1), meta.embeddings[:, 0], **ROUNDING)
    assert plain.middle.shape == meta.middle.shape == (5, 2, 3, 16)
    assert not torch.allclose(plain.embeddings, meta.embeddings, atol=1e-3)


def test_images_of_a_rated_set_lie_in_its_own_folder_and_may_be_squashed(
    stages: dict[str, Path], tmp_path: Path, settings: Params
) -> None:
    features.main(tmp_path / "before", **stages)
    (tmp_path / "target/images").rename(tmp_path / "images")
    target = {"title": "t", "report": "r", "name": "csv", "folder": str(tmp_path), "scale": None, "splits": "s"}
    for fit in ("crops", "squash"):
        changed = settings.model_dump(mode="json") | {
            "target": {**target, "development": 0, "held_back": 0, "fit": fit}
        }
        with stages["params_path"].open("w") as file:
            YAML(typ="safe").dump(changed, file)
        features.main(tmp_path / fit, **stages)
    before, crops, squashed = (
        load(tmp_path / f"{folder}/plain.safetensors").embeddings for folder in ("before", "crops", "squash")
    )
    assert torch.equal(before, crops)
    assert not torch.allclose(before, squashed, atol=1e-3)


@pytest.mark.parametrize(
    "kept", [{"tokens": torch.ones(1, 1, 1, 1)}, {"tokens": torch.ones(1), "embeddings": torch.ones(1)}]
)
def test_a_checkpoint_of_something_else_is_named(tmp_path: Path, kept: dict[str, torch.Tensor]) -> None:
    write_tensors(tmp_path / "plain.safetensors", kept)
    with pytest.raises(UserError, match=r"plain\.safetensors: holds no features"):
        load(tmp_path / "plain.safetensors")
