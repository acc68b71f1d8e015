from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from ruamel.yaml import YAML

from grmp import features
from grmp.crops import to_float
from grmp.errors import UserError
from grmp.features import Features, frozen_features, load, save
from grmp.io import backbone
from grmp.io.prompts_file import save_prompts
from grmp.io.tensors import write_tensors
from grmp.model import PromptedCLIP, first_trained_block
from grmp.runtime import Runtime
from study.data.sets import write_manifest
from study.params import Params

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/test_towers.py says why
PARTS = ["train", "test", "train", "test", "test"]


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (20, 2, 3, 48, 48), dtype=torch.uint8)  # more than one batch


@pytest.mark.parametrize(("blocks", "first"), [(1, 2), (2, 1), (3, 0), (9, 0)])
def test_the_first_trained_block_is_counted_from_the_end(model: PromptedCLIP, blocks: int, first: int) -> None:
    assert first_trained_block(model, blocks) == first


@pytest.mark.parametrize("start_block", [0, 1, 2])
def test_kept_tokens_continue_to_the_whole_forward(
    model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime, start_block: int
) -> None:
    kept = frozen_features(model, crops, start_block, runtime, "test")
    whole = model.encode_image(to_float(crops[:, 1]))
    assert kept.tokens.shape == (20, 2, 10, 64)
    torch.testing.assert_close(kept.embeddings[:, 1], whole, **ROUNDING)
    torch.testing.assert_close(model.embed_from(kept.tokens[:, 1], start=start_block), whole, **ROUNDING)


def test_without_tokens_the_embeddings_are_the_same(model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime) -> None:
    slim = frozen_features(model, crops, 1, runtime, "test", keep_tokens=False)
    assert slim.tokens.numel() == 0
    assert torch.equal(slim.embeddings, frozen_features(model, crops, 1, runtime, "test").embeddings)


@pytest.mark.parametrize("probe_blocks", [[1], [3, 1], [2, 9], [9, 2, 9]])
def test_the_probe_reads_the_class_token_behind_its_blocks_by_clips_own_norm_and_projection(
    model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime, probe_blocks: list[int]
) -> None:
    kept = frozen_features(model, crops, 1, runtime, "test", probe_blocks=probe_blocks)
    for place, block in enumerate(probe_blocks):
        behind = model.tokens_before(to_float(crops[:, 1]), stop=min(block, 3))[:, 0]
        expected = torch.nn.functional.normalize(model.clip.visual.ln_post(behind) @ model.clip.visual.proj, dim=-1)
        torch.testing.assert_close(kept.middle[:, 1, place], expected, **ROUNDING)
    without = frozen_features(model, crops, 1, runtime, "test")
    assert without.middle is None
    assert torch.equal(kept.tokens, without.tokens)
    assert torch.equal(kept.embeddings, without.embeddings)


def test_in_bf16_tokens_take_half_the_room_and_stay_close(
    model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime
) -> None:
    rough = frozen_features(model, crops[:3], 1, Runtime(torch.device("cpu"), "bf16"), "test")
    assert rough.tokens.dtype == torch.bfloat16
    assert rough.embeddings.dtype == torch.float32
    fine = frozen_features(model, crops[:3], 1, runtime, "test")
    torch.testing.assert_close(rough.embeddings, fine.embeddings, rtol=0, atol=0.03)


def test_features_of_some_images_are_theirs(model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime) -> None:
    some = frozen_features(model, crops, 1, runtime, "test").at(torch.tensor([7, 2]))
    torch.testing.assert_close(some.embeddings[0, 1], model.encode_image(to_float(crops[7, 1:]))[0], **ROUNDING)
    assert some.tokens.shape == (2, 2, 10, 64)


@pytest.mark.parametrize("middle", [None, torch.randn(2, 1, 3, 5)])
def test_what_is_kept_comes_back(tmp_path: Path, middle: torch.Tensor | None) -> None:
    made = Features(torch.randn(2, 1, 3, 4).bfloat16(), torch.randn(2, 1, 5), middle)
    save(tmp_path / "features.safetensors", made)
    read = load(tmp_path / "features.safetensors")
    assert read.tensors().keys() == made.tensors().keys()
    assert all(torch.equal(value, made.tensors()[name]) for name, value in read.tensors().items())


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    save(path, Features(torch.ones(2, 1, 3, 4), torch.ones(2, 1, 5)))
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
    for prompts in ("plain", "meta"):
        features.main(prompts, tmp_path / f"{prompts}.safetensors", **stages)
    plain, meta = (load(tmp_path / f"{prompts}.safetensors") for prompts in ("plain", "meta"))
    assert plain.tokens.shape == meta.tokens.shape == (5, 2, 10, 64)
    torch.testing.assert_close(model.embed_from(meta.tokens[:, 0], 1), meta.embeddings[:, 0], **ROUNDING)
    assert plain.middle.shape == meta.middle.shape == (5, 2, 3, 16)
    assert not torch.allclose(plain.embeddings, meta.embeddings, atol=1e-3)


def test_images_may_lie_elsewhere_and_in_another_size(stages: dict[str, Path], tmp_path: Path) -> None:
    features.main("plain", tmp_path / "before.safetensors", **stages)
    (tmp_path / "target/images").rename(tmp_path / "images")
    features.main("plain", tmp_path / "after.safetensors", images=tmp_path, **stages)
    before, after = (load(tmp_path / f"{name}.safetensors") for name in ("before", "after"))
    assert torch.equal(before.embeddings, after.embeddings)


@pytest.mark.parametrize(
    "kept", [{"tokens": torch.ones(1, 1, 1, 1)}, {"tokens": torch.ones(1), "embeddings": torch.ones(1)}]
)
def test_a_checkpoint_of_something_else_is_named(tmp_path: Path, kept: dict[str, torch.Tensor]) -> None:
    write_tensors(tmp_path / "plain.safetensors", kept)
    with pytest.raises(UserError, match=r"plain\.safetensors: holds no features"):
        load(tmp_path / "plain.safetensors")
