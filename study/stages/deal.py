"""How the published code deals a type's images to support and query, and how it labels them."""

import torch
from jaxtyping import Float
from torch import Tensor

from grmp.pretrain import TaskPool
from grmp.settings import Pretrain
from study.stages.stretch import stretch


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
