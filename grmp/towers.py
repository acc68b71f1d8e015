"""open_clip's two towers, opened at the places where prompts attach and where frozen work ends.

The arithmetic is open_clip's own. Attention is written with batch-first matrix products, because
`nn.MultiheadAttention` falls back to a slow batched product when its weights are frozen but its input is not, which
is just what prompt learning does (a factor of four on a CPU), and because the last block then need not compute
tokens that nobody reads.
"""

import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor, nn
from torch.nn import functional as F


def attention(
    layer: nn.MultiheadAttention, x: Float[Tensor, "b n d"], mask: Float[Tensor, "n n"] | None, queries: int | None
) -> Float[Tensor, "b q d"]:
    """Self-attention of the first `queries` tokens (all by default) to every token."""
    batch, tokens, _ = x.shape
    qkv = F.linear(x, layer.in_proj_weight, layer.in_proj_bias)
    q, k, v = qkv.view(batch, tokens, 3, layer.num_heads, layer.head_dim).permute(
        2, 0, 3, 1, 4
    )  # each [b, heads, n, d / heads]
    mixed = F.scaled_dot_product_attention(q[:, :, :queries], k, v, attn_mask=None if mask is None else mask.to(q))
    return layer.out_proj(mixed.transpose(1, 2).flatten(2))  # [b, q, d]


def run_block(
    block: nn.Module,
    x: Float[Tensor, "b n d"],
    mask: Float[Tensor, "n n"] | None = None,
    queries: int | None = None,
) -> Float[Tensor, "b q d"]:
    """One residual attention block of open_clip; only the first `queries` tokens come out (all by default)."""
    x = x[:, :queries] + block.ls_1(attention(block.attn, block.ln_1(x), mask, queries))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def embed_patches(clip: CLIP, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
    """Class token and patch tokens with positions, as the first block takes them; `images` are normalised."""
    return clip.visual._embeds(images)


def pool_image(clip: CLIP, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b e"]:
    """L2-normalised image embedding from the last block's tokens."""
    pooled, _ = clip.visual._pool(x)
    return F.normalize((pooled @ clip.visual.proj).float(), dim=-1)


def encode_text(clip: CLIP, embedded: Float[Tensor, "b n d"], ends: Int[Tensor, " b"]) -> Float[Tensor, "b e"]:
    """L2-normalised text embedding of token embeddings without positions; `ends` are the end-of-text places.

    The mask is causal, so `n` may stop at the last end-of-text: what follows it is never read.
    """
    length = embedded.shape[1]
    x = embedded + clip.positional_embedding[:length]
    for block in clip.transformer.resblocks:
        x = run_block(block, x, clip.attn_mask[:length, :length])
    x = clip.ln_final(x)[torch.arange(len(ends), device=ends.device), ends]  # [b, d]
    return F.normalize((x @ clip.text_projection).float(), dim=-1)


def embed_tokens(clip: CLIP, tokens: Int[Tensor, "b c"]) -> tuple[Float[Tensor, "b n d"], Int[Tensor, " b"]]:
    """Token embeddings up to the last end-of-text, and the places of the end-of-texts (the highest token)."""
    ends = tokens.argmax(dim=-1)
    return clip.token_embedding(tokens[:, : int(ends.max()) + 1]), ends
