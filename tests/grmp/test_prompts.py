import open_clip
import pytest
import torch

from grmp.io.backbone import build
from grmp.model import prompted
from grmp.prompts import CONTEXT_STD, TextPrompt, VisualPrompt
from study.params import Params

PUBLISHED = 1_515_776  # docs/method.md: 100 tokens, depth 12, width 768, and a text context of 4 x 512


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_sizes_give_the_published_number_of_parameters() -> None:
    assert count(TextPrompt(4, 512)) + count(VisualPrompt(100, 12, 768, projection=True)) == PUBLISHED


def test_openais_towers_get_the_published_number_of_parameters(settings: Params) -> None:
    with torch.device("meta"):  # shapes without memory
        clip = build(open_clip.get_model_config("ViT-B-16-quickgelu"))
        sizes = {"context": 4, "image_tokens": 100, "depth": 12, "projection": True}
        model = prompted(clip, settings.prompts.model_copy(update=sizes))
    assert sum(value.numel() for value in model.prompt_parameters().values()) == PUBLISHED


def test_context_takes_the_place_of_the_placeholders() -> None:
    prompt, embedded = TextPrompt(3, 8), torch.randn(2, 9, 8)
    found = prompt(embedded)
    assert found.shape == embedded.shape
    assert torch.equal(found[:, 0], embedded[:, 0])
    assert all(torch.equal(row[1:4], prompt.context) for row in found)
    assert torch.equal(found[:, 4:], embedded[:, 4:])


def test_every_block_has_tokens_of_its_own() -> None:
    prompt = VisualPrompt(2, 3, 8)
    assert prompt.depth == 3
    assert all(torch.equal(prompt(block), prompt.tokens[block]) for block in range(3))
    assert not torch.equal(prompt(0), prompt(2))


def test_the_projection_starts_as_the_identity_and_is_used() -> None:
    prompt = VisualPrompt(2, 1, 8, projection=True)
    assert torch.equal(prompt(0), prompt.tokens[0])
    with torch.no_grad():
        prompt.projection.weight.mul_(2)
        prompt.projection.bias.add_(1)
    torch.testing.assert_close(prompt(0), 2 * prompt.tokens[0] + 1)


def test_dropout_acts_in_training_alone() -> None:
    prompt = VisualPrompt(50, 1, 8, dropout=0.5)
    dropped = (prompt.train()(0) == 0).float().mean()
    assert 0.3 < dropped < 0.7
    assert torch.equal(prompt.eval()(0), prompt.tokens[0])


@pytest.mark.parametrize("values", [TextPrompt(64, 64).context, VisualPrompt(64, 2, 64).tokens])
def test_fresh_prompts_are_small_and_centred(values: torch.Tensor) -> None:
    assert values.std().item() == pytest.approx(CONTEXT_STD, rel=0.1)
    assert abs(values.mean().item()) < CONTEXT_STD / 10


def test_the_context_takes_the_type_of_what_it_joins() -> None:
    assert TextPrompt(2, 8)(torch.randn(1, 5, 8).bfloat16()).dtype == torch.bfloat16
