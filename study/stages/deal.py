"""How the published code deals a type's images to support and query, and stretches labels."""

import torch
from jaxtyping import Float
from torch import Tensor

from grmp.pretrain import TaskPool
from grmp.settings import Pretrain


def stretch(scores: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Scores with the least at 0 and the greatest at 1 (the published code's labels); 0.5 where all are equal."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else torch.full_like(scores, 0.5)


def deal(
    pool: TaskPool, scores: Float[Tensor, " n"], settings: Pretrain, generator: torch.Generator
) -> tuple[TaskPool, Float[Tensor, " n"]]:
    """Support and query of one type as it comes up, and the scores of all images as labels.

    `pretrain.split: images` deals the type's images anew each time, `query_share` of them (at least one, and never all)
    to query, whatever photographs they show. `pretrain.labels: stretched` stretches the labels of support and of query,
    each by itself. By default the pool and the scores stay what they are.
    """
    if settings.split == "images":
        both = pool.support + pool.query
        order = [both[index] for index in torch.randperm(len(both), generator=generator).tolist()]
        count = min(max(1, round(settings.query_share * len(both))), len(both) - 1)
        pool = TaskPool(order[count:], order[:count])
    if settings.labels == "stretched":
        scores = scores.clone()
        for part in (pool.support, pool.query):
            scores[part] = stretch(scores[part])
    return pool, scores
