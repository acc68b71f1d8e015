import copy

import pandas as pd
import pytest
import torch
from open_clip import CLIP
from torch.nn import functional as F

from grmp.errors import UserError
from grmp.text import SCENE_TEMPLATES, encode, scene_texts, tokenise
from study.data.photos import SCENES
from study.params import Params
from study.stages.alignment import caption_loss, scene_loss, text_parameters, train_text_tower

CAPTIONS = ["a dog on grass", "a tall tower at night", "an apple on a table", "people in a street"]


def train(clip: CLIP, settings: Params, seed: int = 1, steps: int = 30) -> object:
    features = F.normalize(torch.randn(4, 2, 16, generator=torch.Generator().manual_seed(5)), dim=-1)
    align = settings.align.model_copy(update={"steps": steps, "learning_rate": 0.003})
    scenes = torch.tensor([0, 5, 7, 1])
    return train_text_tower(clip, features, CAPTIONS, scenes, align, torch.Generator().manual_seed(seed))


def test_the_first_scene_sentences_are_liqes() -> None:
    assert scene_texts() == [f"a photo of a {scene.replace('_', ' ')}" for scene in SCENES]


def test_no_word_about_quality_is_in_the_training_sentences() -> None:
    words = " ".join(SCENE_TEMPLATES).lower()
    assert not any(word in words for word in ("quality", "sharp", "blur", "good", "bad", "noise", "clear"))


@pytest.mark.parametrize(("longest", "length"), [("a brown dog", 5), ("word " * 100, 32)])
def test_texts_are_as_long_as_the_longest_and_fit_the_tower(clip: CLIP, longest: str, length: int) -> None:
    tokens = tokenise(clip, ["a dog", longest])
    assert tokens.shape == (2, length)
    assert (tokens.max(dim=1).values == 49407).all()  # the end of text is there, also of what was too long


def test_sentences_are_encoded_one_by_one(clip: CLIP) -> None:
    together = encode(clip, CAPTIONS)
    torch.testing.assert_close(together, torch.cat([encode(clip, [text]) for text in CAPTIONS]), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(4))


def test_the_caption_loss_is_symmetric_and_least_for_pairs() -> None:
    a, b = F.normalize(torch.randn(5, 8), dim=-1), F.normalize(torch.randn(5, 8), dim=-1)
    scale = torch.tensor(10.0)
    torch.testing.assert_close(caption_loss(a, b, scale), caption_loss(b, a, scale))
    assert caption_loss(a, a, scale) < caption_loss(a, a.roll(1, 0), scale)


def test_the_caption_loss_of_equal_texts_is_the_logarithm_of_their_number() -> None:
    same = F.normalize(torch.ones(5, 8), dim=-1)
    torch.testing.assert_close(caption_loss(same, same, torch.tensor(7.0)), torch.tensor(5.0).log())


def test_the_scene_loss_is_cross_entropy_over_scenes() -> None:
    features, texts = torch.eye(9)[[2, 4]], torch.eye(9)
    expected = torch.log(torch.exp(torch.tensor(3.0)) + 8) - 3
    torch.testing.assert_close(scene_loss(features, torch.tensor([2, 4]), texts, torch.tensor(3.0)), expected)


def test_the_text_parameters_are_all_but_the_image_towers(clip: CLIP) -> None:
    inside = sum(parameter.numel() for parameter in clip.visual.parameters())
    everything = sum(parameter.numel() for parameter in clip.parameters())
    assert sum(parameter.numel() for parameter in text_parameters(clip)) == everything - inside


def test_training_lowers_both_losses_and_leaves_the_image_tower_alone(clip: CLIP, settings: Params) -> None:
    before = copy.deepcopy(clip.state_dict())
    log = train(clip, settings)
    assert list(log.columns) == ["step", "caption", "scene"]
    assert log["step"].tolist() == list(range(1, 31))
    assert log["caption"].tail(5).mean() < 0.7 * log["caption"].head(5).mean()
    assert log["scene"].tail(5).mean() < 0.7 * log["scene"].head(5).mean()
    changed = {name for name, value in clip.state_dict().items() if not torch.equal(value, before[name])}
    assert "text_projection" in changed
    assert not any(name.startswith("visual.") for name in changed)
    assert not any(parameter.requires_grad for parameter in clip.parameters())


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_training_follows_the_seed(clip: CLIP, settings: Params, seed: int, same: bool) -> None:
    other = copy.deepcopy(clip)
    train(clip, settings, seed=1, steps=3)
    train(other, settings, seed=seed, steps=3)
    assert torch.equal(clip.text_projection, other.text_projection) == same


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_trains_as_a_cpu_does(clip: CLIP, settings: Params) -> None:
    other = copy.deepcopy(clip).to("cuda")  # image embeddings and scenes come from the CPU, as stages hand them over
    logs = [train(one, settings, steps=3) for one in (clip, other)]
    pd.testing.assert_frame_equal(*logs, atol=1e-3)
    assert other.text_projection.device.type == "cuda"


def test_a_loss_that_is_none_stops_with_the_step(clip: CLIP, settings: Params) -> None:
    features = torch.full((3, 2, 16), float("nan"))
    with pytest.raises(UserError, match=r"align the text tower: step 1: .*caption nan.*align\.learning_rate"):
        train_text_tower(clip, features, ["a", "b", "c"], torch.tensor([0, 1, 2]), settings.align, torch.Generator())
