"""The playground's questions: a photograph under a distortion, what models make of it, the labelled images like it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.crops import at_scale, centre_views, cut_views, to_tensor
from grmp.errors import UserError
from grmp.io.decode import read_image
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from grmp.settings import Input
from study.data.distortions import LEVELS, SMALLEST_SIDE, Image, distort
from study.data.labels import LabelMap, similarity
from study.data.pixels import resize_image, to_array
from study.playground.view import View, crop_size, view

PRETRAINED = "pre-trained prompts"
UPLOADED_SIDE = 384
"""Shorter side in pixels of an uploaded image: that of the photographs, as the distortions' strengths are in pixels."""

Models = dict[str, Callable[[], PromptedCLIP]]


@dataclass(frozen=True)
class Choice:
    """An image to look at: a photograph's name, a distortion type (1 to 25) and its level; level 0 leaves it alone."""

    photograph: str
    kind: int
    level: int

    def at(self, level: int) -> "Choice":
        """The same at another level."""
        return replace(self, level=level)


@dataclass(frozen=True)
class Labelled:
    """The target's labelled pool: its manifest, and one embedding per image by the pre-trained prompts."""

    folder: Path
    manifest: pd.DataFrame
    embeddings: Float[Tensor, "n e"]


class Explorer:
    """Answers about chosen images, each computed once.

    Args:
        photographs: images by name; `add` puts uploaded ones beside them.
        models: how to get each model, by the name that readers see; `PRETRAINED` is among them.
        labelled: where the nearest labelled images are looked for.
        label_map: from similarity to score.
        sight: what models see of an image.
        runtime: device and precision.
    """

    def __init__(
        self,
        photographs: dict[str, Image],
        models: Models,
        labelled: Labelled,
        label_map: LabelMap,
        sight: Input,
        runtime: Runtime,
    ) -> None:
        self.photographs = photographs
        self.models = models
        self.labelled = labelled
        self.label_map = label_map
        self.sight = sight
        self.runtime = runtime
        self._views: dict[tuple[str, Choice], View] = {}

    def add(self, name: str, content: bytes) -> str:
        """Put an uploaded image among the photographs, and return its name there; one of the same name is replaced.

        Raises:
            UserError: not an image, truncated, or smaller than the distortions can work on.
        """
        name = Path(name).name
        self.photographs[name] = resize_image(_decoded(name, content), UPLOADED_SIDE)
        self._views = {key: seen for key, seen in self._views.items() if key[1].photograph != name}
        return name

    def image(self, choice: Choice) -> Image:
        """The photograph with the distortion; the same choice gives the same noise."""
        original = self.photographs[choice.photograph]
        return distort(original, choice.kind, choice.level, np.random.default_rng(0)) if choice.level else original

    def shown(self, choice: Choice) -> Image:
        """The image as the models get it, before the crop: at the first scale of `sight`."""
        return to_array(at_scale(to_tensor(self.image(choice)), self.sight.views[0][0], self.sight.crop))

    def crops(self, model: str, choice: Choice) -> UInt8[Tensor, "scale 3 s s"]:
        """The centre of the image at each scale, in the size that this model sees."""
        return cut_views(to_tensor(self.image(choice)), centre_views(self.sight.views), crop_size(self.models[model]()))

    def label(self, choice: Choice) -> float:
        """The score in 0..1 that the study would give this image, from its similarity to the untouched one."""
        return float(self.label_map(similarity(self.photographs[choice.photograph], self.image(choice))))

    def view(self, model: str, choice: Choice) -> View:
        """What the model of this name makes of the image's centre."""
        if (model, choice) not in self._views:
            self._views[model, choice] = view(self.models[model](), self.crops(model, choice), self.runtime)
        return self._views[model, choice]

    def qualities(self, model: str, choice: Choice) -> Float[np.ndarray, "6"]:
        """The model's quality at levels 0 to 5 of the chosen distortion."""
        return np.array([self.view(model, choice.at(level)).quality for level in (0, *LEVELS)])

    def labels(self, choice: Choice) -> Float[np.ndarray, "6"]:
        """The study's score at levels 0 to 5 of the chosen distortion."""
        return np.array([self.label(choice.at(level)) for level in (0, *LEVELS)])

    def nearest(self, choice: Choice, count: int) -> pd.DataFrame:
        """The `count` labelled images most like the chosen one to the pre-trained prompts, nearest first.

        Columns: those of the target's manifest, with `cosine`, that of the angle between the two embeddings.
        """
        cosines = self.labelled.embeddings @ self.view(PRETRAINED, choice).embedding
        rows = self.labelled.manifest.assign(cosine=cosines.numpy())
        return rows.sort_values("cosine", ascending=False, kind="stable").head(count)


def _decoded(name: str, content: bytes) -> Image:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            image = read_image(path)
        except UserError:
            raise UserError(f"{name}: cannot be read as an image") from None
    if min(image.shape[:2]) < SMALLEST_SIDE:
        height, width = image.shape[:2]
        raise UserError(f"{name}: {width} x {height} pixels are too few; both sides need {SMALLEST_SIDE} or more")
    return image
