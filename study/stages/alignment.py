"""The alignment of the text tower as the study runs it: its draws, and from which state it goes on."""

import pandas as pd
import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor

from grmp.align import train_text_tower
from grmp.runtime import Stream, generator
from grmp.settings import Align
from study.running.kept import kept_training


def align_text_tower(
    clip: CLIP,
    features: Float[Tensor, "photo crop e"],
    captions: list[str],
    scenes: Int[Tensor, " photo"],
    settings: Align,
    seed: int,
) -> pd.DataFrame:
    """Align the text tower of `clip` in place, as `grmp.align.train_text_tower`; one that was interrupted goes on.

    Raises:
        UserError: as `train_text_tower`.
    """
    draws = generator(seed, Stream.ALIGNMENT)
    start = clip.state_dict(), draws.get_state(), torch.get_rng_state()
    store = kept_training("alignment", settings, features, captions, scenes, start)
    return train_text_tower(clip, features, captions, scenes, settings, draws, store)
