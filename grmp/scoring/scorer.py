"""A trained model as a no-reference metric: any image in, its quality out."""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from grmp.crops import average, cut_views, to_float, view_weights
from grmp.errors import UserError
from grmp.model import PromptedCLIP
from grmp.probe import Probe
from grmp.scoring.inputs import SMALLEST_SIDE, Source, read_input
from grmp.settings import Input

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4  # of the range of values: what rounding does
READERS = 4  # threads that decode and resize images while the model works
Scale = Literal["unit", "own"]
"""From 0 to 1, or between the worst and the best score that `grmp fit --range` was given."""


class Scored(NamedTuple):
    """An image's path (or its place among those given), and its quality in (0, 1) or what is wrong with it.

    `low` and `high`, where asked for: its label lies between them in nine of ten cases, says the probe's posterior.
    """

    image: str
    quality: float
    error: str
    low: float = math.nan
    high: float = math.nan

    def between(self, worst: float, best: float) -> "Scored":
        """The same with `worst` in the place of 0 and `best` in that of 1; `low` stays the lesser."""
        quality, low, high = (worst + (best - worst) * value for value in (self.quality, self.low, self.high))
        return self._replace(quality=quality, low=min(low, high), high=max(low, high))


class Scorer(nn.Module):
    """A no-reference quality metric: in (0, 1), higher is better, differentiable in the image. Its weights are frozen.

    Args:
        model: a trained model for crops of `view.crop` pixels.
        view: what it sees of an image.
        probe: averages a regression into the quality; None: the model alone.
    """

    name = "this scorer"
    own: tuple[float, float] | None = None
    """The worst and the best score on the scale of its labels; like its name, known of a checkpoint alone."""

    def __init__(self, model: PromptedCLIP, view: Input, probe: Probe | None = None) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.view = view
        self.probe = probe
        self.eval()

    def train(self, mode: bool = True) -> "Scorer":
        """Stay in evaluation mode, also inside of a model that is being trained: dropout has no place in a metric."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Scorer":
        """Follow to another device, but stay in float32, also inside of a model that is turned to another type."""
        return super()._apply(lambda value: fn(value) if value.is_meta else value.to(fn(value).device), recurse)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """Quality of RGB images in [0, 1] of any height and width from 32 pixels up.

        Computed in float32, also under `torch.autocast` and of images in another type. Under `torch.export` the range
        is not checked.

        Raises:
            ValueError: another shape, no floats, or values outside of [0, 1].
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(f"images must be [b, 3, h, w] with h and w from {SMALLEST_SIDE}, not {list(images.shape)}")
        if not torch.compiler.is_exporting():
            _check_range(images)
        if not len(images):  # open_clip cannot reshape none
            return images.sum(dim=(1, 2, 3)).float()
        with torch.autocast(images.device.type, enabled=False):
            return self._judge(self._views(images.float()))[0]

    def _views(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "view *b 3 s s"]:
        return cut_views(images, self.view.views, self.view.crop)

    def _judge(
        self, views: Float[Tensor, "view b 3 s s"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b block e"] | None]:
        """The quality, and what the probe, if there is one, has read for it."""
        crops, weights = views.flatten(0, 1), view_weights(self.view.views)

        def mean(values: Float[Tensor, "crop *shape"]) -> Float[Tensor, "b *shape"]:
            return average(values.unflatten(0, views.shape[:2]).transpose(0, 1), weights)

        if self.probe is None:
            return mean(self.model(crops)), None
        embeddings, middle = self.model.encode_along(crops, self.probe.settings.blocks)
        middle = mean(middle)
        return self.probe(mean(self.model.quality_logit(embeddings).sigmoid()), middle), middle

    def score(
        self, images: Source | Iterable[Source], batch: int = 32, interval: bool = False, scale: Scale = "unit"
    ) -> "pd.DataFrame":
        """Quality of files, Pillow images or RGB bytes (uint8, height x width x 3), `batch` at a time.

        Returns one row per image, in their order: image (its path, or its place among those given), quality (in (0, 1),
        higher is better, or on the labels' `own` scale; empty where it could not be read), error (what is wrong with
        it, else empty text), and with `interval` low and high, between which its label is in nine of ten cases.

        Raises:
            UserError: an interval is asked for, and the checkpoint has no posterior; or its own scale, and it has none.
        """
        import pandas as pd  # takes a second to import, and `stream` does without

        given = [images] if isinstance(images, str | Path | Image.Image | np.ndarray) else images
        table = pd.DataFrame(self.stream(given, batch, interval, scale), columns=Scored._fields)
        return table if interval else table.drop(columns=["low", "high"])

    def stream(
        self, images: Iterable[Source], batch: int = 32, interval: bool = False, scale: Scale = "unit"
    ) -> Iterator[Scored]:
        """As `score`, one result after the other, in their order; never more than two batches are in memory."""
        if scale == "own" and self.own is None:
            raise UserError(f"{self.name}: has no scale but 0 to 1; `grmp fit --range WORST BEST` makes one that has")
        worst, best = self.own if scale == "own" and self.own else (0, 1)
        with ThreadPoolExecutor(READERS) as pool:
            left, place, ready = iter(images), 0, list[tuple[Source, Future]]()
            while (ahead := [(image, pool.submit(self._read, image)) for image in islice(left, batch)]) or ready:
                yield from (row.between(worst, best) for row in self._finish(ready, place, interval))
                place, ready = place + len(ready), ahead

    def _read(self, source: Source) -> Float[Tensor, "view 3 s s"] | UserError:
        try:
            return self._views(to_float(read_input(source)))
        except UserError as error:
            return error

    @torch.inference_mode()
    def _finish(self, jobs: list[tuple[Source, Future]], place: int, interval: bool) -> list[Scored]:
        names = [str(one) if isinstance(one, str | Path) else str(n) for n, (one, _) in enumerate(jobs, place)]
        read = [job.result() for _, job in jobs]
        views = [value for value in read if not isinstance(value, UserError)]
        found = iter(self._numbers(torch.stack(views, dim=1).to(self.model.mean.device), interval) if views else [])
        return [
            Scored(name, math.nan, str(value)) if isinstance(value, UserError) else _scored(name, *next(found))
            for name, value in zip(names, read)
        ]

    def _numbers(self, views: Float[Tensor, "view b 3 s s"], interval: bool) -> list[list[float]]:
        quality, middle = self._judge(views)
        if not interval:
            return quality[:, None].tolist()
        if self.probe is None or middle is None:
            raise UserError("this checkpoint has no probe, hence no intervals; see finetune.probe_share in params.yaml")
        margin = self.probe.margin(middle)
        return torch.stack([quality, (quality - margin).clamp(min=0), (quality + margin).clamp(max=1)], dim=1).tolist()


def _check_range(images: Tensor) -> None:
    low, high = map(float, images.detach().aminmax()) if images.numel() else (0.0, 1.0)
    if not (images.is_floating_point() and low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise ValueError(f"images must be floats in [0, 1], not {images.dtype} from {low:g} to {high:g}")


def _scored(name: str, quality: float, low: float = math.nan, high: float = math.nan) -> Scored:
    if not math.isfinite(quality):
        return Scored(name, math.nan, f"{name}: the model's score is not finite; its checkpoint is broken")
    return Scored(name, quality, "", low, high)
