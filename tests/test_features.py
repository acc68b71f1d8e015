from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from ruamel.yaml import YAML

from grmp import backbone, features
from grmp.checkpoint import save_prompts
from grmp.crops import even_crops, to_float
from grmp.errors import UserError
from grmp.features import Features, first_trained_block, frozen_features, load, save, target_crops
from grmp.model import PromptedCLIP
from grmp.params import Params
from grmp.runtime import Runtime
from grmp.sets import write_manifest

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/test_towers.py says why
PARTS = ["train", "test", "train", "test", "test"]


@pytest.fixture
def images() -> list[torch.Tensor]:
    return [torch.randint(0, 256, (3, 52, 50 + 5 * n), dtype=torch.uint8) for n in range(5)]


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (20, 2, 3, 48, 48), dtype=torch.uint8)  # more than one batch


@pytest.mark.parametrize(("blocks", "first"), [(1, 2), (2, 1), (3, 0), (9, 0)])
def test_the_first_trained_block_is_counted_from_the_end(model: PromptedCLIP, blocks: int, first: int) -> None:
    assert first_trained_block(model, blocks) == first


def test_training_images_get_views_and_test_images_their_fixed_ones(
    images: list[torch.Tensor], settings: Params
) -> None:
    found = target_crops(images, PARTS, settings)
    assert {part: tuple(crops.shape) for part, crops in found.items()} == {
        "train": (2, 2, 3, 48, 48),
        "test": (3, 1, 3, 48, 48),
    }
    assert torch.equal(found["test"], torch.stack([even_crops(images[place], 48, 1) for place in (1, 3, 4)]))
    assert not torch.equal(found["train"][0, 0], found["train"][0, 1])


def test_crops_follow_the_seed(images: list[torch.Tensor], settings: Params) -> None:
    compute = settings.compute.model_copy(update={"seed": 2})
    first, again, other = (
        target_crops(images, PARTS, chosen)
        for chosen in (settings, settings, settings.model_copy(update={"compute": compute}))
    )
    assert torch.equal(first["train"], again["train"])
    assert not torch.equal(first["train"], other["train"])
    assert torch.equal(first["test"], other["test"])


def test_every_image_has_crops_of_its_own(images: list[torch.Tensor], settings: Params) -> None:
    one, other = target_crops([*images[:1] * 2, images[1]], ["train", "train", "test"], settings)["train"]
    assert not torch.equal(one, other)


def test_an_images_crops_do_not_depend_on_the_others(images: list[torch.Tensor], settings: Params) -> None:
    changed = [255 - images[0], *images[1:]]
    before, after = (target_crops(chosen, PARTS, settings)["train"] for chosen in (images, changed))
    assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("start_block", [0, 1, 2])
def test_kept_tokens_continue_to_the_whole_forward(
    model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime, start_block: int
) -> None:
    kept = frozen_features(model, crops, start_block, runtime, "test")
    whole = model.encode_image(to_float(crops[:, 1]))
    assert kept.tokens.shape == (20, 2, 10, 64)
    torch.testing.assert_close(kept.embeddings[:, 1], whole, **ROUNDING)
    torch.testing.assert_close(model.finish(kept.tokens[:, 1], start=start_block), whole, **ROUNDING)


def test_without_tokens_the_embeddings_are_the_same(model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime) -> None:
    slim = frozen_features(model, crops, 1, runtime, "test", keep_tokens=False)
    assert slim.tokens.numel() == 0
    assert torch.equal(slim.embeddings, frozen_features(model, crops, 1, runtime, "test").embeddings)


def test_in_bf16_tokens_take_half_the_room_and_stay_close(
    model: PromptedCLIP, crops: torch.Tensor, runtime: Runtime
) -> None:
    rough = frozen_features(model, crops[:3], 1, Runtime(torch.device("cpu"), "bf16"), "test")
    assert rough.tokens.dtype == torch.bfloat16
    assert rough.embeddings.dtype == torch.float32
    fine = frozen_features(model, crops[:3], 1, runtime, "test")
    torch.testing.assert_close(rough.embeddings, fine.embeddings, rtol=0, atol=0.03)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    made = {part: Features(torch.randn(2, 1, 3, 4).bfloat16(), torch.randn(2, 1, 5)) for part in ("train", "test")}
    save(tmp_path / "features.safetensors", made)
    read = load(tmp_path / "features.safetensors")
    assert read.keys() == made.keys()
    for part, kept in made.items():
        assert torch.equal(read[part].tokens, kept.tokens)
        assert torch.equal(read[part].embeddings, kept.embeddings)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    save(path, {part: Features(torch.ones(2, 1, 3, 4), torch.ones(2, 1, 5)) for part in ("train", "test")})
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
    assert plain["train"].tokens.shape == meta["train"].tokens.shape == (2, 2, 10, 64)
    assert plain["test"].tokens.shape == (3, 1, 10, 64)
    torch.testing.assert_close(model.finish(meta["test"].tokens[:, 0], 1), meta["test"].embeddings[:, 0], **ROUNDING)
    assert not torch.allclose(plain["test"].embeddings, meta["test"].embeddings, atol=1e-3)
