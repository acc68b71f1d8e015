"""How tasks are dealt and labelled: by default as they are, or as the published code does."""

import pytest
import torch

from grmp.pretrain import TaskPool
from grmp.settings import Pretrain
from study.params import Params
from study.stages.deal import deal
from study.stages.stretch import stretch

POOL = TaskPool([*range(8)], [8, 9])


@pytest.fixture
def section(settings: Params) -> Pretrain:
    return settings.pretrain


def dealt(section: Pretrain, seed: int = 1, pool: TaskPool = POOL, **changes: object):
    scores = torch.linspace(0.2, 0.7, 12)
    return deal(pool, scores, section.model_copy(update=changes), torch.Generator().manual_seed(seed))


def test_by_default_pool_and_labels_stay_and_nothing_is_drawn(section: Pretrain) -> None:
    generator, scores = torch.Generator().manual_seed(1), torch.rand(12)
    before = generator.get_state()
    assert deal(POOL, scores, section, generator) == (POOL, scores)
    assert torch.equal(generator.get_state(), before)


def test_images_are_dealt_anew_80_to_20_and_none_is_lost(section: Pretrain) -> None:
    pools = [dealt(section, seed, split="images", query_share=0.2)[0] for seed in range(5)]
    assert all(len(pool.query) == 2 and sorted(pool.support + pool.query) == [*range(10)] for pool in pools)
    assert len({tuple(sorted(pool.query)) for pool in pools}) > 1


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_neither_part_is_ever_empty(section: Pretrain, share: float) -> None:
    pool, _ = dealt(section, pool=TaskPool([3], [5]), split="images", query_share=share)
    assert len(pool.support) == len(pool.query) == 1


def test_each_part_is_stretched_by_itself_and_nothing_else_is(section: Pretrain) -> None:
    pool, labels = dealt(section, labels="stretched")
    for part in (pool.support, pool.query):
        assert (labels[part].min(), labels[part].max()) == (0, 1)
    assert torch.equal(labels[10:], torch.linspace(0.2, 0.7, 12)[10:])


def test_stretching_keeps_order_and_does_not_care_for_scale() -> None:
    scores = torch.rand(9)
    assert torch.equal(stretch(scores).argsort(), scores.argsort())
    assert torch.allclose(stretch(scores), stretch(3 * scores + 1), atol=1e-6)
    assert stretch(torch.full((3,), 0.3)).tolist() == [0.5] * 3
