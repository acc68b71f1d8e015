"""Quality-aware gradient regularisation (QGR): the semantic part is taken out of the quality gradient.

GRMP-IQA (arXiv 2409.05381) removes it where the two gradients agree; ProGrad (Zhu et al., ICCV 2023), from which it
descends, removes the opposing part where they conflict.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

When = Literal["aligned", "conflict", "always", "never"]
Scope = Literal["tensor", "global"]


def remove_component(
    gradient: Float[Tensor, "*shape"], direction: Float[Tensor, "*shape"], strength: float = 1.0, when: When = "aligned"
) -> Float[Tensor, "*shape"]:
    """Take `strength` times the projection on `direction` out of `gradient`, in the case that `when` names.

    `g - strength * <g, d> / |d|^2 * d`; strength 1 is the orthogonal projection, 2 the mirror image. `aligned` acts
    where `<g, d> > 0` (QGR), `conflict` where `<g, d> < 0` (ProGrad). A zero direction removes nothing.
    """
    inner = torch.dot(gradient.flatten(), direction.flatten())
    acts = {"aligned": inner > 0, "conflict": inner < 0, "always": inner != 0, "never": inner != inner}[when]
    squared = torch.dot(direction.flatten(), direction.flatten())
    share = torch.where(acts & (squared > 0), strength * inner / squared.clamp_min(torch.finfo(squared.dtype).tiny), 0)
    return torch.addcmul(gradient, direction, share, value=-1)  # no product of their size is ever stored


def project(
    quality: Sequence[Tensor], semantic: Sequence[Tensor], strength: float, when: When, scope: Scope
) -> list[Tensor]:
    """Apply `remove_component` to lists of gradients: to each `tensor` by itself (as published), or `global`ly."""
    if scope == "tensor":
        return [remove_component(g, d, strength, when) for g, d in zip(quality, semantic)]
    flat = remove_component(flatten(quality), flatten(semantic), strength, when)
    pieces = flat.split([g.numel() for g in quality])
    return [piece.view_as(g) for piece, g in zip(pieces, quality)]


def cosine(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Cosine of the angle between two lists of gradients, each taken as one vector; 0 where one is zero."""
    lengths = inner(a, a).sqrt() * inner(b, b).sqrt()
    return float(inner(a, b) / lengths) if lengths > 0 else 0.0


def inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Inner product of two lists of tensors, each taken as one vector."""
    return torch.stack([torch.dot(x.flatten(), y.flatten()) for x, y in zip(a, b, strict=True)]).sum()


def flatten(tensors: Sequence[Tensor]) -> Float[Tensor, " n"]:
    """All elements as one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors])
