"""The mean quality of a set, as users of torchmetrics expect a metric to work."""

import pytest
import torch
from torchmetrics import Metric, MetricCollection
from torchmetrics.aggregation import MeanMetric

from grmp.scoring.mean_quality import MeanQuality
from grmp.scoring.scorer import Scorer


@pytest.fixture
def batches() -> list[torch.Tensor]:
    """Of different numbers and sizes."""
    return [torch.rand(count, 3, 64, 60 + 10 * count) for count in (1, 3)]


def test_it_is_the_mean_over_images_and_not_over_batches(scorer: Scorer, batches: list[torch.Tensor]) -> None:
    metric = MeanQuality(scorer)
    assert isinstance(metric, Metric)
    for batch in batches:
        metric.update(batch)
    every = torch.cat([scorer(batch) for batch in batches])
    torch.testing.assert_close(metric.compute(), every.mean())
    metric.reset()
    metric.update(batches[0])
    torch.testing.assert_close(metric.compute(), every[0])


def test_forward_returns_the_batchs_value_and_a_collection_holds_it(
    scorer: Scorer, batches: list[torch.Tensor]
) -> None:
    both = MetricCollection({"quality": MeanQuality(scorer), "mean": MeanMetric()})
    with pytest.raises(ValueError, match="images must be floats"):
        both["quality"](batches[0] + 1)
    for batch in batches:
        torch.testing.assert_close(both(batch)["quality"], scorer(batch).mean())
    every = torch.cat([scorer(batch) for batch in batches])
    torch.testing.assert_close(both.compute()["quality"], every.mean())


def test_the_batchs_value_can_be_a_loss(scorer: Scorer, batches: list[torch.Tensor]) -> None:
    images = batches[1].requires_grad_()
    metric = MeanQuality(scorer)
    metric(images).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not metric.compute().requires_grad
    assert metric.higher_is_better
