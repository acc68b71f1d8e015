from pathlib import Path

import pytest
import torch
from open_clip import CLIP

from grmp.errors import UserError
from grmp.io.prompts_file import load_prompts, save_prompts
from grmp.model import PromptedCLIP
from study.params import Params


@pytest.fixture
def path(tmp_path: Path, model: PromptedCLIP) -> Path:
    save_prompts(tmp_path / "prompts.safetensors", model)
    return tmp_path / "prompts.safetensors"


def test_kept_prompts_give_the_same_scores(path: Path, model: PromptedCLIP, clip: CLIP, settings: Params) -> None:
    torch.manual_seed(99)  # other fresh prompts than the kept ones
    again, images = load_prompts(path, clip, settings.prompts).eval(), torch.rand(2, 3, 48, 48)
    assert torch.equal(again(images), model(images))


def test_only_the_prompts_are_kept(path: Path, model: PromptedCLIP) -> None:
    prompts = sum(value.numel() for value in model.prompt_parameters().values())
    assert path.stat().st_size < 4 * prompts + 2000 < 4 * sum(value.numel() for value in model.clip.parameters())


@pytest.mark.parametrize("change", [{"context": 5}, {"image_tokens": 3}, {"image_tokens": 0}, {"depth": 2}])
def test_prompts_of_other_sizes_are_refused(path: Path, clip: CLIP, settings: Params, change: dict) -> None:
    with pytest.raises(UserError, match=r"prompts\.safetensors: prompts of other sizes than params\.yaml"):
        load_prompts(path, clip, settings.prompts.model_copy(update=change))


def test_truncated_and_missing_files_are_named(path: Path, clip: CLIP, settings: Params) -> None:
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"prompts\.safetensors: is not a whole"):
        load_prompts(path, clip, settings.prompts)
    path.unlink()
    with pytest.raises(UserError, match=r"prompts\.safetensors: no such"):
        load_prompts(path, clip, settings.prompts)
