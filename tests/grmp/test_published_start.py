"""Start values, pixels and sentences of the published code, as keys of the section prompts."""

import pytest
import torch
from open_clip import CLIP
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from grmp.model import CLIP_MEAN, CLIP_STD, PromptedCLIP, prompted
from grmp.prompts import CONTEXT_STD, VisualPrompt
from grmp.settings import Prompts
from grmp.text import scene_texts, tokenise

TOKENS, DEPTH, WIDTH, PATCH = 100, 12, 768, 16  # of ViT-B/16


@pytest.fixture
def published() -> VisualPrompt:
    prompt = VisualPrompt(TOKENS, DEPTH, WIDTH, projection=True)
    prompt.start_as_published(PATCH)
    return prompt.requires_grad_(False)


def section(**changes: object) -> Prompts:
    return Prompts(context=4, image_tokens=2, depth=3, dropout=0.0, projection=True, **changes)


def test_published_tokens_are_uniform_within_a_sixteenth(published: VisualPrompt) -> None:
    assert published.tokens.abs().max() <= 0.0625
    assert published.tokens.abs().max() > 0.0624
    assert published.tokens.std() == pytest.approx(0.0625 / 3**0.5, rel=0.01)
    assert published.tokens.mean() == pytest.approx(0, abs=1e-3)


def test_the_published_map_leaves_tokens_of_the_spread_that_was_derived(published: VisualPrompt) -> None:
    assert published.projection.weight.std() == pytest.approx((2 / WIDTH) ** 0.5, rel=0.01)
    assert published(0).std() == pytest.approx(0.055, abs=0.002)


def test_without_a_map_published_tokens_come_as_they_are() -> None:
    prompt = VisualPrompt(TOKENS, 1, WIDTH)
    prompt.start_as_published(PATCH)
    assert torch.equal(prompt(0), prompt.tokens[0])


def test_by_default_tokens_are_normal_and_pass_the_map_unchanged() -> None:
    prompt = VisualPrompt(TOKENS, DEPTH, WIDTH, projection=True).requires_grad_(False)
    assert prompt.tokens.std() == pytest.approx(CONTEXT_STD, rel=0.01)
    assert torch.allclose(prompt(3), prompt.tokens[3])


def test_the_key_start_chooses_by_the_towers_own_sizes(clip: CLIP) -> None:
    bound = (6 / (3 * 16**2 + 64)) ** 0.5
    tokens = prompted(clip, section(start="published")).visual_prompt.tokens
    assert bound * 0.9 < tokens.abs().max() <= bound
    assert prompted(clip, section()).visual_prompt.tokens.abs().max() < 0.09


def embed(clip: CLIP, images: torch.Tensor, **changes: object) -> torch.Tensor:
    torch.manual_seed(3)
    model: PromptedCLIP = prompted(clip, section(**changes)).eval()
    with torch.no_grad():
        return model.encode_image(images)


def test_imagenets_pixels_are_brought_to_its_mean_and_spread(clip: CLIP) -> None:
    images = torch.rand(2, 3, 48, 48) * 0.5 + 0.25
    imagenet = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    mean, std, own_mean, own_std = (torch.tensor(each)[:, None, None] for each in (*imagenet, CLIP_MEAN, CLIP_STD))
    as_clip_would = (images - mean) / std * own_std + own_mean
    assert torch.allclose(embed(clip, images, pixels="imagenet"), embed(clip, as_clip_would), atol=1e-5)
    assert not torch.allclose(embed(clip, images, pixels="imagenet"), embed(clip, images), atol=1e-3)


def test_the_scene_sentences_keep_their_underscore_on_request(clip: CLIP) -> None:
    plain, published = (prompted(clip, section(underscore=on)).scenes for on in (False, True))
    assert [text for text in scene_texts(underscore=True) if text not in scene_texts()] == ["a photo of a still_life"]
    assert torch.equal(published, tokenise(clip, scene_texts(underscore=True)))
    assert not torch.equal(published[7, :9], plain[7, :9])
