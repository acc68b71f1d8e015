"""The opened towers are open_clip's own.

Tolerance: open_clip itself gives two answers. In evaluation without gradients `nn.MultiheadAttention` takes a fused
fast path, otherwise the slow one, and the two differ in the last bits of float32; so `ROUNDING` is a few units of
float32's precision (1.2e-7) at the size of the values, grown over the blocks.
"""

import open_clip
import pytest
import torch
from open_clip import CLIP
from open_clip.transformer import VisionTransformer
from torch.nn import functional as F

from grmp.io.backbone import build
from grmp.towers import (
    attention,
    embed_patches,
    embed_tokens,
    encode_text,
    first_token_attention,
    first_token_shares,
    keep_patches,
    mix,
    pool_image,
    run_block,
    run_first_token,
)

ROUNDING = {"rtol": 2e-5, "atol": 2e-6}


def spread(module: torch.nn.Module) -> None:
    """Weights and biases away from their tidy start, so that a forgotten one shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)


def encode_image(clip: CLIP, images: torch.Tensor, first_token: bool = False) -> torch.Tensor:
    x, blocks = embed_patches(clip, images), clip.visual.transformer.resblocks
    for block in blocks[:-1]:
        x = run_block(block, x)
    return pool_image(clip, (run_first_token if first_token else run_block)(blocks[-1], x))


@pytest.fixture
def tokens() -> torch.Tensor:
    return open_clip.tokenizer.SimpleTokenizer(context_length=32)(["a dog", "two brown dogs in a wooden house", ""])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fast_path", [True, False])
def test_the_image_tower_equals_open_clip(clip: CLIP, seed: int, fast_path: bool) -> None:
    torch.manual_seed(seed)
    spread(clip)
    images = torch.randn(2, 3, 48, 48)
    with torch.set_grad_enabled(not fast_path):
        expected = clip.encode_image(images, normalize=True)
    torch.testing.assert_close(encode_image(clip, images), expected, **ROUNDING)


@pytest.mark.parametrize("seed", range(3))
def test_the_text_tower_equals_open_clip(clip: CLIP, tokens: torch.Tensor, seed: int) -> None:
    torch.manual_seed(seed)
    spread(clip)
    expected = clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(encode_text(clip, *embed_tokens(clip, tokens)), expected, **ROUNDING)


def test_a_real_vit_b_16_equals_open_clip() -> None:
    config = open_clip.get_model_config("ViT-B-16-quickgelu")
    small = {**config, "text_cfg": {**config["text_cfg"], "width": 32, "heads": 2, "layers": 1, "context_length": 8}}
    clip = build(small, crop=64).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            encode_image(clip, images, first_token=True), clip.encode_image(images, normalize=True), **ROUNDING
        )


def test_the_class_token_alone_is_enough_in_the_last_block(clip: CLIP) -> None:
    images = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(encode_image(clip, images, first_token=True), encode_image(clip, images), **ROUNDING)


@pytest.mark.parametrize("context", [None, 3])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_block_can_compute_its_first_token_only(clip: CLIP, context: int | None, precision: torch.dtype) -> None:
    block, x = clip.visual.transformer.resblocks[0], torch.randn(2, 7, 64).to(precision)
    spread(block)
    shared = None if context is None else torch.randn(context, 64)
    with torch.autocast("cpu", enabled=precision == torch.bfloat16):
        found, whole = run_first_token(block, x, shared), run_block(block, x, context=shared)
    assert found.shape == (2, 1, 64)
    rounding = ROUNDING if precision == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(found.float(), whole[:, :1].float(), **rounding)


def test_context_is_read_as_if_it_stood_in_every_row(clip: CLIP) -> None:
    block, x, context = clip.visual.transformer.resblocks[0], torch.randn(2, 7, 64), torch.randn(3, 64)
    spread(block)
    beside = block(torch.cat([x, context.expand(2, -1, -1)], dim=1))
    torch.testing.assert_close(run_block(block, x, context=context), beside[:, :7], **ROUNDING)


def test_the_shares_of_the_first_token_are_torchs(clip: CLIP) -> None:
    layer, x, context = clip.visual.transformer.resblocks[0].attn, torch.randn(2, 7, 64), torch.randn(3, 64)
    spread(layer)
    everything = torch.cat([x, context.expand(2, -1, -1)], dim=1)
    _, expected = layer(x, everything, everything, average_attn_weights=False)
    torch.testing.assert_close(first_token_shares(layer, x, context), expected[:, :, 0], **ROUNDING)


def test_the_first_tokens_gradients_are_those_of_the_whole_block(clip: CLIP) -> None:
    layer, context = clip.visual.transformer.resblocks[0].attn, torch.randn(3, 64, requires_grad=True)
    spread(layer)
    x = torch.randn(2, 7, 64, requires_grad=True)
    wanted = [x, context, *layer.requires_grad_(True).parameters()]
    first, whole = first_token_attention(layer, x, context), attention(layer, x, context=context)[:, :1]
    ours, theirs = (torch.autograd.grad(found.square().sum(), wanted) for found in (first, whole))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_attention_equals_torchs(clip: CLIP) -> None:
    layer, x = clip.visual.transformer.resblocks[0].attn, torch.randn(2, 7, 64)
    spread(layer)
    expected, _ = layer(x, x, x, need_weights=False)
    torch.testing.assert_close(attention(layer, x), expected, **ROUNDING)


@pytest.mark.parametrize("masked", [False, True])
def test_mixing_in_bf16_with_gradients_is_torchs_attention_up_to_rounding(
    masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = (torch.randn(2, 4, tokens, 16).bfloat16().requires_grad_(True) for tokens in (7, 9, 9))
    mask = torch.full((7, 9), -torch.inf).triu(1).bfloat16() if masked else None
    exact = [value.detach().double().requires_grad_(True) for value in (q, k, v)]
    with monkeypatch.context() as patched:
        patched.delattr(F, "scaled_dot_product_attention")  # not by it
        found = mix(q, k, v, mask)
    wanted = F.scaled_dot_product_attention(*exact, attn_mask=None if mask is None else mask.double())
    torch.testing.assert_close(found.double(), wanted, rtol=0.03, atol=0.03)
    upstream = torch.randn(found.shape).bfloat16()
    slopes = torch.autograd.grad(found, (q, k, v), upstream)
    for one, other in zip(slopes, torch.autograd.grad(wanted, exact, upstream.double()), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0.05, atol=0.05)


def test_kept_patches_come_after_the_class_token_in_the_order_of_their_places() -> None:
    x = torch.arange(2 * 4 * 3.0).view(2, 4, 3)
    found = keep_patches(x, torch.tensor([[2, 0], [1, 2]]))
    assert torch.equal(found, torch.stack([x[0, [0, 3, 1]], x[1, [0, 2, 3]]]))


def test_layer_scale_is_applied() -> None:
    tower = VisionTransformer(
        image_size=32, patch_size=16, width=32, layers=1, heads=2, mlp_ratio=2.0, ls_init_value=0.3, output_dim=8
    ).eval()
    block, x = tower.transformer.resblocks[0], torch.randn(1, 5, 32)
    torch.testing.assert_close(run_block(block, x), block(x), **ROUNDING)


def test_what_follows_the_end_of_text_is_never_read(clip: CLIP, tokens: torch.Tensor) -> None:
    embedded, ends = embed_tokens(clip, tokens)
    last = int(ends.max()) + 1
    assert last < embedded.shape[1]
    short = encode_text(clip, embedded[:, :last], ends)
    torch.testing.assert_close(encode_text(clip, embedded, ends), short, **ROUNDING)
    after = torch.cat([embedded[:, :last], torch.randn(3, 4, 32)], dim=1)
    torch.testing.assert_close(encode_text(clip, after, ends), short, **ROUNDING)


def test_an_earlier_word_is_read(clip: CLIP, tokens: torch.Tensor) -> None:
    spread(clip)
    embedded, ends = embed_tokens(clip, tokens)
    other = embedded.clone()
    other[:2, 1] += torch.randn(32)
    assert not torch.allclose(encode_text(clip, other, ends)[:2], encode_text(clip, embedded, ends)[:2], atol=1e-3)


def test_embeddings_have_length_one(clip: CLIP, tokens: torch.Tensor) -> None:
    features = [encode_image(clip, torch.randn(2, 3, 48, 48)), encode_text(clip, *embed_tokens(clip, tokens))]
    for found in features:
        torch.testing.assert_close(found.norm(dim=-1), torch.ones(len(found)))


def test_gradients_equal_open_clips(clip: CLIP) -> None:
    images, upstream = torch.randn(2, 3, 48, 48), torch.randn(2, 16)
    weights = list(clip.requires_grad_(True).visual.parameters())
    ours = torch.autograd.grad((encode_image(clip, images, first_token=True) * upstream).sum(), weights)
    theirs = torch.autograd.grad((F.normalize(clip.encode_image(images), dim=-1) * upstream).sum(), weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
