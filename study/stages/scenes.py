"""Does the text tower know scenes that it has not seen? Crops of photographs, and how many are named rightly."""

import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor
from torch.nn.functional import normalize

from grmp.crops import random_crop, resize, to_tensor
from grmp.io.decode import read_image
from grmp.runtime import Stream, generator
from grmp.text import SCENES
from study.data.photos import Photograph


def alignment_crops(
    photographs: list[Photograph], size: int, count: int, seed: int
) -> UInt8[Tensor, "photo crop 3 s s"]:
    """`count` random crops of every photograph, `size` pixels a side, from the photograph at half its size or more.

    Raises:
        UserError: a photograph cannot be read.
    """
    return torch.stack([_crops(photo, size, count, seed, index) for index, photo in enumerate(photographs)])


def _crops(photograph: Photograph, size: int, count: int, seed: int, index: int) -> UInt8[Tensor, "crop 3 s s"]:
    image = to_tensor(read_image(photograph.path))
    small = resize(image, max(size, min(image.shape[1:]) // 2))  # half size: a crop then shows enough of the scene
    draws = generator(seed, Stream.ALIGNMENT_CROPS, index)
    return torch.stack([random_crop(small, size, draws) for _ in range(count)])


def scene_numbers(photographs: list[Photograph]) -> Int[Tensor, " photo"]:
    """The place of every photograph's scene in `grmp.text.SCENES`."""
    return torch.tensor([SCENES.index(photo.scene) for photo in photographs])


def scene_means(features: Float[Tensor, "photo crop e"], scenes: Int[Tensor, " photo"]) -> Float[Tensor, "scene e"]:
    """The mean embedding of every scene, of length 1; zeros for a scene without photographs."""
    known = [features[scenes == scene] for scene in range(len(SCENES))]
    zeros = torch.zeros(features.shape[-1])
    return torch.stack([normalize(some.mean(dim=(0, 1)), dim=0) if len(some) else zeros for some in known])


def scene_accuracy(
    features: Float[Tensor, "photo crop e"], scenes: Int[Tensor, " photo"], references: Float[Tensor, "scene e"]
) -> dict[str, float]:
    """How many crops have their own scene's reference nearest: `accuracy`, and `balanced accuracy` over the scenes."""
    chosen = (features @ references.T).argmax(dim=-1).flatten()
    truth = scenes.repeat_interleave(features.shape[1])
    return {
        "accuracy": float((chosen == truth).float().mean()),
        "balanced accuracy": balanced_accuracy_score(truth, chosen),
    }


def nearest_captions(
    features: Float[Tensor, "photo crop e"], photographs: list[Photograph], texts: Float[Tensor, "n e"],
    everyone: list[Photograph], every: int,
) -> pd.DataFrame:  # fmt: skip
    """For each `every`-th photograph the caption, among those of `everyone`, that lies nearest its mean embedding.

    Args:
        features: of the photographs' crops.
        photographs: as many.
        texts: embedded captions of `everyone`.
        everyone: all photographs.
        every: one of how many is shown.
    """
    nearest = (features.mean(dim=1) @ texts.T).argmax(dim=1)[::every]
    rows = zip(photographs[::every], (everyone[index] for index in nearest), strict=True)
    return pd.DataFrame(
        [(photo.name, photo.scene, other.caption, other.scene) for photo, other in rows],
        columns=["photograph", "scene", "nearest caption", "of scene"],
    )
