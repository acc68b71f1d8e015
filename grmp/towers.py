"""open_clip's two towers, split at the blocks where prompts attach and where frozen computation ends.

The arithmetic is open_clip's own. Attention is written with batch-first matrix products, because
`nn.MultiheadAttention` falls back to a slow batched product when its weights are frozen but its input is not, which
is just what prompt learning does (a factor of four on a CPU). Nothing is computed that nobody reads: not what a block
makes of its prompt tokens, as the next block brings its own, and of the last block only the class token.
"""

import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F


def attention(
    layer: nn.MultiheadAttention,
    x: Float[Tensor, "b n d"],
    mask: Float[Tensor, "n n"] | None = None,
    context: Float[Tensor, "m d"] | None = None,
) -> Float[Tensor, "b n d"]:
    """Self-attention of every token to every token and to `context`, tokens that the batch shares and only reads."""
    width, heads = layer.embed_dim, layer.num_heads
    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    q, k, v = F.linear(x, weight, bias).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)  # each [b, h, n, d / h]
    if context is not None:
        shared = F.linear(context, weight[width:], bias[width:]).unflatten(-1, (2, heads, -1)).permute(1, 2, 0, 3)
        k, v = (torch.cat([own, extra.expand(len(x), -1, -1, -1)], 2) for own, extra in zip((k, v), shared.to(k)))
    return layer.out_proj(mix(q, k, v, None if mask is None else mask.to(q)).transpose(1, 2).flatten(2))


def mix(
    q: Float[Tensor, "b h n k"],
    k: Float[Tensor, "b h m k"],
    v: Float[Tensor, "b h m k"],
    mask: Float[Tensor, "n m"] | None = None,
) -> Float[Tensor, "b h n k"]:
    """`softmax(q k^T / sqrt(k)) v`, by whichever way is the fastest where it is asked for.

    That is torch's own kernel, but for gradients of queries in bf16 on a CPU: there two products are up to three times
    as fast.
    """
    if not (q.requires_grad and q.dtype == torch.bfloat16 and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def first_token_shares(
    layer: nn.MultiheadAttention, x: Float[Tensor, "b n d"], context: Float[Tensor, "m d"] | None = None
) -> Float[Tensor, "b h n+m"]:
    """The shares of one that each head of the first token gives to every token, then to every token of `context`.

    No key is formed: `q . (K x + c) = (K' q) . x + q . c`, and softmax ignores the constant.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        to_q, to_k, _ = layer.in_proj_weight.unflatten(0, (3, layer.num_heads, -1))  # each [h, d / h, d]
        q = torch.einsum("bd,hkd->bhk", x[:, 0], to_q) + layer.in_proj_bias.unflatten(0, (3, layer.num_heads, -1))[0]
        look = torch.einsum("bhk,hkd->bhd", q * layer.head_dim**-0.5, to_k)
        scores = look @ x.mT
        if context is not None:
            scores = torch.cat([scores, look @ context.float().mT], dim=-1)
        return scores.softmax(dim=-1)


def first_token_attention(
    layer: nn.MultiheadAttention, x: Float[Tensor, "b n d"], context: Float[Tensor, "m d"] | None = None
) -> Float[Tensor, "b 1 d"]:
    """What `attention` gives for the first token, without forming any key or value.

    As `sum_j a_j (V x_j) = V sum_j a_j x_j`, tokens are mixed first; for ViT-B/16 at 224 pixels both together are a
    fortieth of the arithmetic. It is done in float32, which costs nothing beside the reading of `x`.
    """
    shares = first_token_shares(layer, x, context)
    with torch.autocast(x.device.type, enabled=False):
        seen = shares[..., : x.shape[1]] @ x.float()  # [b, h, d]
        if context is not None:
            seen = seen + shares[..., x.shape[1] :] @ context.float()
        to_v = layer.in_proj_weight.unflatten(0, (3, layer.num_heads, -1))[2]
        bias = layer.in_proj_bias.unflatten(0, (3, layer.num_heads, -1))[2]
        mixed = torch.einsum("bhd,hkd->bhk", seen, to_v) + bias
    return layer.out_proj(mixed.flatten(1))[:, None]


def run_block(
    block: ResidualAttentionBlock,
    x: Float[Tensor, "b n d"],
    mask: Float[Tensor, "n n"] | None = None,
    context: Float[Tensor, "m d"] | None = None,
) -> Float[Tensor, "b n d"]:
    """One residual attention block of open_clip, whose tokens also read those of `context`."""
    shared = None if context is None else block.ln_1(context)
    x = x + block.ls_1(attention(block.attn, block.ln_1(x), mask, shared))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def run_first_token(
    block: ResidualAttentionBlock, x: Float[Tensor, "b n d"], context: Float[Tensor, "m d"] | None = None
) -> Float[Tensor, "b 1 d"]:
    """The first token behind the block, and no other."""
    shared = None if context is None else block.ln_1(context)
    x = x[:, :1] + block.ls_1(first_token_attention(block.attn, block.ln_1(x), shared))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def embed_patches(clip: CLIP, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
    """Class token and patch tokens with positions, as the first block takes them; `images` are normalised."""
    return clip.visual._embeds(images)


def keep_patches(x: Float[Tensor, "b n d"], indices: Int[Tensor, "b k"]) -> Float[Tensor, "b 1+k d"]:
    """The class token, and the patch tokens at `indices`, which count the patches from 0."""
    patches = x[:, 1:].gather(1, indices[..., None].expand(-1, -1, x.shape[-1]))
    return torch.cat([x[:, :1], patches], dim=1)


def pool_image(clip: CLIP, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b e"]:
    """L2-normalised image embedding from the tokens behind a block, the last one as a rule."""
    pooled, _ = clip.visual._pool(x)
    return F.normalize((pooled @ clip.visual.proj).float(), dim=-1)


def encode_text(clip: CLIP, embedded: Float[Tensor, "b n d"], ends: Int[Tensor, " b"]) -> Float[Tensor, "b e"]:
    """L2-normalised text embedding of token embeddings without positions; `ends` are the end-of-text indices.

    The mask is causal, so `n` may stop at the last end-of-text: what follows it is never read.
    """
    x = embedded + clip.positional_embedding[: embedded.shape[1]]
    return pool_text(clip, run_text(clip, x, 0, len(clip.transformer.resblocks)), ends)


def run_text(clip: CLIP, x: Float[Tensor, "b n d"], start: int, stop: int) -> Float[Tensor, "b n d"]:
    """The tokens in front of text block `stop` from those in front of text block `start`."""
    length = x.shape[1]
    for block in clip.transformer.resblocks[start:stop]:
        x = run_block(block, x, clip.attn_mask[:length, :length])
    return x


def pool_text(clip: CLIP, x: Float[Tensor, "b n d"], ends: Int[Tensor, " b"]) -> Float[Tensor, "b e"]:
    """L2-normalised text embedding from the last block's tokens."""
    x = clip.ln_final(x)[torch.arange(len(ends), device=ends.device), ends]  # [b, d]
    return F.normalize((x @ clip.text_projection).float(), dim=-1)


def embed_tokens(clip: CLIP, tokens: Int[Tensor, "b c"]) -> tuple[Float[Tensor, "b n d"], Int[Tensor, " b"]]:
    """Token embeddings, and the indices of the end-of-texts (the highest token)."""
    return clip.token_embedding(tokens), tokens.argmax(dim=-1)
