import math

import open_clip
import pytest
import torch
from open_clip import CLIP
from torch.nn import functional as F

from grmp.errors import UserError
from grmp.io.backbone import build
from grmp.model import CLIP_MEAN, CLIP_STD, PromptedCLIP, prompted, quality_loss, semantic_loss
from study.data.photos import SCENES
from study.params import Params

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/grmp/test_towers.py says why


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 48, 48)


@pytest.fixture
def plain(clip: CLIP, settings: Params) -> PromptedCLIP:
    """Without image prompts."""
    return prompted(clip, settings.prompts.model_copy(update={"image_tokens": 0})).eval()


def normalised(images: torch.Tensor) -> torch.Tensor:
    return (images - torch.tensor(CLIP_MEAN).view(3, 1, 1)) / torch.tensor(CLIP_STD).view(3, 1, 1)


def test_the_pixel_statistics_are_clips_own() -> None:
    assert (CLIP_MEAN, CLIP_STD) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)


def test_without_image_prompts_the_image_tower_is_open_clips(plain: PromptedCLIP, images: torch.Tensor) -> None:
    expected = plain.clip.encode_image(normalised(images), normalize=True)
    torch.testing.assert_close(plain.encode_image(images), expected, **ROUNDING)


def test_with_words_as_context_the_text_tower_is_open_clips(plain: PromptedCLIP) -> None:
    words, texts = "a photo of very", ["a photo of very high quality.", "a photo of very low quality."]
    tokenizer = open_clip.tokenizer.SimpleTokenizer(context_length=32)
    with torch.no_grad():
        plain.text_prompt.context.copy_(plain.clip.token_embedding(tokenizer(words))[0, 1:5])
    expected = plain.clip.encode_text(tokenizer(texts), normalize=True)
    torch.testing.assert_close(plain.class_features(), expected, **ROUNDING)


def test_image_prompts_are_replaced_at_every_block(model: PromptedCLIP, images: torch.Tensor) -> None:
    """VPT-deep by hand, with open_clip's own blocks: the tokens that come out of a block are thrown away."""
    visual, prompt = model.clip.visual, model.visual_prompt
    with torch.no_grad():
        for parameter in prompt.parameters():  # away from their tidy start, so that a forgotten one shows
            parameter.add_(torch.randn_like(parameter) * 0.1)
    x = visual._embeds(normalised(images))
    for block, tokens in zip(visual.transformer.resblocks, prompt.projection(prompt.tokens), strict=True):
        x = block(torch.cat([x[:, :1], tokens.expand(3, -1, -1), x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 3:]], dim=1)
    expected = F.normalize(visual.ln_post(prompt.norm(x[:, 0])) @ visual.proj, dim=-1)
    torch.testing.assert_close(model.encode_image(images), expected, **ROUNDING)


def test_blocks_beyond_the_depth_get_no_tokens(clip: CLIP, settings: Params, images: torch.Tensor) -> None:
    shallow = prompted(clip, settings.prompts.model_copy(update={"depth": 1})).eval()
    x = shallow.tokens_before(images, stop=1)
    for block in clip.visual.transformer.resblocks[1:]:
        x = block(x)
    expected = F.normalize(clip.visual.ln_post(shallow.visual_prompt.norm(x[:, 0])) @ clip.visual.proj, dim=-1)
    torch.testing.assert_close(shallow.encode_image(images), expected, **ROUNDING)


def test_a_depth_beyond_the_tower_is_cut(clip: CLIP, settings: Params) -> None:
    assert prompted(clip, settings.prompts.model_copy(update={"depth": 12})).visual_prompt.depth == 3


@pytest.mark.parametrize("split", [0, 1, 2])
@pytest.mark.parametrize("image_tokens", [0, 2])
def test_resuming_from_kept_tokens_equals_the_whole_forward(
    clip: CLIP, settings: Params, images: torch.Tensor, split: int, image_tokens: int
) -> None:
    model = prompted(clip, settings.prompts.model_copy(update={"image_tokens": image_tokens})).eval()
    tokens = model.tokens_before(images, stop=split)
    assert tokens.shape == (3, 10, 64)
    torch.testing.assert_close(model.embed_from(tokens, start=split), model.encode_image(images), **ROUNDING)


def test_all_patches_in_any_order_are_the_whole_image_and_fewer_are_not(model: PromptedCLIP) -> None:
    images = torch.rand(2, 3, 48, 48)
    order = torch.stack([torch.randperm(9), torch.randperm(9)])
    torch.testing.assert_close(model(images, patches=order), model(images), **ROUNDING)
    seen = images.clone()
    seen[:, :, 16:] = torch.rand(2, 3, 32, 48)  # all but the first row of patches
    first_row = torch.arange(3).expand(2, -1)
    assert torch.equal(model(images, patches=first_row), model(seen, patches=first_row))
    assert not torch.allclose(model(images), model(seen))


def test_quality_is_the_two_way_softmax(model: PromptedCLIP, images: torch.Tensor) -> None:
    logits = model.clip.logit_scale.exp() * model.encode_image(images) @ model.class_features().T
    torch.testing.assert_close(model(images), logits.softmax(dim=-1)[:, 0], **ROUNDING)
    torch.testing.assert_close(model(images, as_logit=True), logits[:, 0] - logits[:, 1], rtol=1e-4, atol=1e-5)


def test_the_high_class_comes_first_and_behind_the_context(model: PromptedCLIP) -> None:
    decoded = [open_clip.tokenizer.SimpleTokenizer().decode(row.tolist()) for row in model.tokens]
    assert ["high quality" in text for text in decoded] == [True, False]
    assert "low quality" in decoded[1]
    assert all(text.split("quality")[0].count("x ") == len(model.text_prompt.context) for text in decoded)


def test_the_longest_context_that_fits_still_tells_the_classes_apart(clip: CLIP, settings: Params) -> None:
    model = prompted(clip, settings.prompts.model_copy(update={"context": 32 - 5}))
    high, low = model.class_features()
    assert not torch.allclose(high, low, atol=1e-4)


def test_a_context_that_does_not_fit_is_refused(clip: CLIP, settings: Params) -> None:
    with pytest.raises(UserError, match=r"prompts\.context: .* 27"):
        prompted(clip, settings.prompts.model_copy(update={"context": 32 - 4}))


def test_both_prompts_change_the_score(model: PromptedCLIP, images: torch.Tensor) -> None:
    before = model(images)
    for prompt in (model.text_prompt.context, model.visual_prompt.tokens):
        with torch.no_grad():
            prompt.add_(torch.randn_like(prompt))
        after = model(images)
        assert not torch.allclose(after, before, atol=1e-4)
        before = after


def test_scene_sentences_stand_without_context(plain: PromptedCLIP) -> None:
    texts = [f"a photo of a {scene.replace('_', ' ')}" for scene in SCENES]
    tokens = open_clip.tokenizer.SimpleTokenizer(context_length=32)(texts)
    expected = plain.clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(plain.scene_features(), expected, **ROUNDING)
    for split in range(4):
        torch.testing.assert_close(
            plain.embed_scenes_from(plain.scene_tokens_before(split), split), expected, **ROUNDING
        )
    features = F.normalize(torch.randn(2, 16), dim=-1)
    scale = plain.clip.logit_scale.exp()
    torch.testing.assert_close(plain.scene_logits(features), scale * features @ expected.T, rtol=1e-4, atol=1e-5)


def test_the_prompt_parameters_are_everything_but_clip(model: PromptedCLIP) -> None:
    assert set(model.prompt_parameters()) == {
        "text_prompt.context",
        "visual_prompt.tokens",
        "visual_prompt.projection.weight",
        "visual_prompt.projection.bias",
        "visual_prompt.norm.weight",
        "visual_prompt.norm.bias",
    }


def test_fine_tuning_trains_context_last_blocks_and_final_norms(model: PromptedCLIP) -> None:
    blocks = {f"clip.{tower}transformer.resblocks.{index}" for tower in ("", "visual.") for index in (1, 2)}
    expected = {
        name
        for name, _ in model.named_parameters()
        if name.startswith(tuple(f"{block}." for block in blocks))
        or name.rpartition(".")[0] in {"text_prompt", "clip.ln_final", "clip.visual.ln_post"}
    }
    assert set(model.tuned_parameters(2)) == expected
    assert len(expected) == 1 + 4 * 12 + 4


def test_more_blocks_than_there_are_means_all(model: PromptedCLIP) -> None:
    assert set(model.tuned_parameters(12)) == set(model.tuned_parameters(3))


def test_the_paper_sizes_give_the_published_number_of_tuned_parameters(settings: Params) -> None:
    with torch.device("meta"):
        clip = build(open_clip.get_model_config("ViT-B-16-quickgelu"))
        model = prompted(clip, settings.prompts.model_copy(update={"context": 4}))
    assert sum(value.numel() for value in model.tuned_parameters(4).values()) == 40_965_632  # docs/method.md


def test_the_quality_loss_is_cross_entropy_with_the_soft_label() -> None:
    q, y = torch.tensor([0.2, 0.9]), torch.tensor([0.3, 0.6])
    expected = -(y * q.log() + (1 - y) * (1 - q).log()).mean()
    torch.testing.assert_close(quality_loss(q.logit(), y), expected)


def test_the_quality_loss_is_least_at_the_label() -> None:
    label = torch.tensor([0.3])
    losses = [quality_loss(torch.tensor([q]).logit(), label).item() for q in (0.2, 0.3, 0.4)]
    assert losses[1] == min(losses)


def test_the_semantic_loss_is_cross_entropy_with_the_teachers_probabilities() -> None:
    student, teacher = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.5, 1.0, 0.0]])
    p = [math.exp(value) / sum(map(math.exp, teacher[0].tolist())) for value in teacher[0].tolist()]
    log_q = [value - math.log(sum(map(math.exp, student[0].tolist()))) for value in student[0].tolist()]
    assert semantic_loss(student, teacher).item() == pytest.approx(-sum(a * b for a, b in zip(p, log_q)), rel=1e-5)


def test_the_semantic_loss_has_no_slope_at_the_teacher() -> None:
    logits = torch.randn(4, 9, requires_grad=True)
    (slope,) = torch.autograd.grad(semantic_loss(logits, logits.detach()), logits)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-7)
