import pytest
import torch

from grmp.crops import to_float
from grmp.features import frozen_features
from grmp.model import PromptedCLIP, first_trained_block
from grmp.runtime import Runtime

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}  # tests/grmp/test_towers.py says why


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
