"""Quality-aware gradient regularisation (QGR): the semantic part is projected out of the quality gradient.

GRMP-IQA (arXiv 2409.05381) removes it where the two gradients agree; ProGrad (Zhu et al., ICCV 2023), from which it
descends, removes the opposing part where they conflict.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from grmp.settings import Scope, When


class Projected(NamedTuple):
    """The gradients after projection, and the cosine between both before it, each taken as one vector."""

    gradients: list[Tensor]
    cosine: Float[Tensor, ""]


def project(
    quality: Sequence[Tensor], semantic: Sequence[Tensor], strength: float, when: When, scope: Scope
) -> Projected:
    """Subtract `strength` times the projection on the semantic gradients from the quality gradients.

    `g - strength * <g, d> / |d|^2 * d`, for each `tensor` by itself (as published) or `global`ly; strength 1 is the
    orthogonal projection, 2 the mirror image. `aligned` acts where `<g, d> > 0` (QGR), `conflict` where `<g, d> < 0`
    (ProGrad). A zero direction removes nothing.

    Nothing is read back from the device. The cosine is 0 where a gradient is zero.

    >>> quality, semantic = [torch.tensor([2.0, 1.0])], [torch.tensor([4.0, 0.0])]
    >>> project(quality, semantic, strength=1.0, when="aligned", scope="tensor").gradients
    [tensor([0., 1.])]
    >>> project(quality, semantic, strength=1.0, when="conflict", scope="tensor").gradients
    [tensor([2., 1.])]
    """
    both, squared = inners(quality, semantic), inners(semantic, semantic)
    shares = share_removed(both, squared, strength, when, scope)
    left = [torch.addcmul(g, share, d, value=-1) for g, share, d in zip(quality, shares, semantic, strict=True)]
    lengths = inners(quality, quality).sum().sqrt() * squared.sum().sqrt()
    return Projected(left, torch.where(lengths > 0, both.sum() / lengths, 0))


def share_removed(
    inner: Float[Tensor, " n"], squared: Float[Tensor, " n"], strength: float, when: When, scope: Scope
) -> Float[Tensor, " n"]:
    """The multiple of each direction to subtract: `strength * <g, d> / |d|^2`, or 0 where `when` does not hold."""
    if scope == "global":
        inner, squared = (values.sum().expand(len(values)) for values in (inner, squared))
    acts = {"aligned": inner > 0, "conflict": inner < 0, "always": inner != 0, "never": inner != inner}[when]
    share = strength * inner / squared.clamp_min(torch.finfo(squared.dtype).tiny)
    return torch.where(acts & (squared > 0), share, 0)


def inners(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, " n"]:
    """Inner product of each tensor with its counterpart."""
    return torch.stack([torch.dot(x.flatten(), y.flatten()) for x, y in zip(a, b, strict=True)])


def random_directions(directions: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Random directions of the same lengths: what QGR would remove if the semantic gradient meant nothing (ours)."""
    drawn = [torch.randn(d.shape, generator=generator).to(d) for d in directions]
    return [r * (d.norm() / r.norm()) for r, d in zip(drawn, directions)]


def with_lengths(gradients: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """`gradients` at the lengths of `others`: QGR's smaller step without its change of direction (ours)."""
    tiny = torch.finfo(torch.float32).tiny
    return [g * (other.norm() / g.norm().clamp_min(tiny)) for g, other in zip(gradients, others)]
