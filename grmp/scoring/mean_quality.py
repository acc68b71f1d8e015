"""The mean quality of a set of images as a metric of torchmetrics, which the extra `torchmetrics` brings."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torchmetrics.aggregation import MeanMetric

from grmp.scoring.scorer import Scorer


class MeanQuality(MeanMetric):
    """Mean quality in (0, 1) of all images since `reset`; `forward` also returns that of its batch, differentiable.

    Args:
        scorer: what `grmp.load` gives.
        options: those of `torchmetrics.Metric`.
    """

    higher_is_better, is_differentiable = True, True  # type: ignore[assignment]  # None of all means

    def __init__(self, scorer: Scorer, **options: Any) -> None:
        super().__init__(**options)
        self.scorer = scorer

    def update(self, images: Float[Tensor, "b 3 h w"]) -> None:  # type: ignore[override]
        """Add RGB images in [0, 1]; raises what `Scorer` does."""
        super().update(self.scorer(images))
