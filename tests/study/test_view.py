import pytest
import torch
from open_clip import CLIP

from grmp.crops import to_float
from grmp.model import PromptedCLIP, prompted
from grmp.runtime import Runtime
from study.params import Params
from study.playground.view import class_attention, crop_size, view

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/grmp/test_towers.py says why


@pytest.fixture
def crop() -> torch.Tensor:
    return torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8)


@pytest.fixture
def plain(clip: CLIP, settings: Params) -> PromptedCLIP:
    return prompted(clip, settings.prompts.model_copy(update={"image_tokens": 0})).eval()


def torchs_attention(model: PromptedCLIP, x: torch.Tensor) -> torch.Tensor:
    """The class token's row of torch's own attention weights in the last block, mean over the heads."""
    block = model.clip.visual.transformer.resblocks[-1]
    x = block.ln_1(x)
    return block.attn(x, x, x, need_weights=True, average_attn_weights=True)[1][:, 0]


def test_attention_is_torchs_without_prompts(plain: PromptedCLIP) -> None:
    x = torch.randn(2, 10, 64)
    expected = torchs_attention(plain, x)[:, 1:].unflatten(1, (3, 3))
    torch.testing.assert_close(class_attention(plain, x), expected, **ROUNDING)


def test_prompts_of_the_last_block_take_their_share(model: PromptedCLIP) -> None:
    x = torch.randn(2, 10, 64)
    every = torchs_attention(model, torch.cat([x, model.prompt(2).expand(2, -1, -1)], dim=1))
    found, prompts = class_attention(model, x), every[:, 10:].sum(dim=1)
    assert prompts.min() > 0
    torch.testing.assert_close(found, every[:, 1:10].unflatten(1, (3, 3)), **ROUNDING)
    torch.testing.assert_close(found.sum(dim=(1, 2)) + every[:, 0] + prompts, torch.ones(2))


def test_prompts_of_earlier_blocks_alone_have_no_share(clip: CLIP, settings: Params) -> None:
    shallow = prompted(clip, settings.prompts.model_copy(update={"depth": 2})).eval()
    x = torch.randn(1, 10, 64)
    expected = torchs_attention(shallow, x)[:, 1:].unflatten(1, (3, 3))
    torch.testing.assert_close(class_attention(shallow, x), expected, **ROUNDING)


@torch.no_grad()
def test_a_view_is_what_the_model_says(model: PromptedCLIP, crop: torch.Tensor, runtime: Runtime) -> None:
    seen, image = view(model, crop[None], runtime), to_float(crop[None])
    assert seen.quality == pytest.approx(float(model(image)))
    embedding = model.encode_image(image)
    torch.testing.assert_close(seen.embedding[None], embedding)
    torch.testing.assert_close(torch.from_numpy(seen.scenes)[None], model.scene_logits(embedding).softmax(dim=-1))
    assert torch.equal(seen.crop, crop)
    assert seen.attention.shape == (3, 3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_shares_and_probabilities_are_shares(model: PromptedCLIP, crop: torch.Tensor, precision: str) -> None:
    seen = view(model, crop[None], Runtime(torch.device("cpu"), precision))
    assert seen.scenes.sum() == pytest.approx(1, abs=1e-5)
    assert seen.attention.min() >= 0
    assert 0 < seen.attention.sum() < 1


def test_a_model_knows_its_crop(model: PromptedCLIP) -> None:
    assert crop_size(model) == 48
