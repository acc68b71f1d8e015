"""Labels as the published code has them."""

import torch
from jaxtyping import Float
from torch import Tensor


def stretch(scores: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Scores with the least at 0 and the greatest at 1; 0.5 where all are equal."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else torch.full_like(scores, 0.5)
