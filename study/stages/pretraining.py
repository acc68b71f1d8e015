"""Pre-training as the study runs it: which draws, from which state it goes on, and what the prompts know afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float, UInt8
from open_clip import CLIP
from torch import Tensor

from grmp.crops import average, centre_views, cut_views, to_float, view_weights
from grmp.features import in_batches
from grmp.metrics import srcc
from grmp.model import PromptedCLIP, prompted
from grmp.pretrain import pretrain
from grmp.prior import Prior, embed, learn
from grmp.runtime import Runtime, Stream, generator
from grmp.settings import Input, Pretrain, Prompts
from study.data import manifests
from study.data.distortions import DISTORTIONS
from study.data.squashed import Squashed
from study.data.tasks import TaskSet
from study.running.kept import kept_training
from study.stages.sequential import pretrain_sequential

PRIOR_IMAGES = 500
"""As many teach the probe's prior; on BIQ2021 250 taught it no less."""


@dataclass(frozen=True)
class Pretrained:
    """Trained prompts, and what was measured on the query images, each from a centre crop per scale.

    Args:
        model: CLIP with the prompts.
        losses: a row per outer step, as `grmp.pretrain.pretrain` gives them.
        query: rows of the query images in the manifest of the tasks.
        predicted: their quality as the trained prompts predict it.
    """

    model: PromptedCLIP
    losses: pd.DataFrame
    query: pd.Index
    predicted: Float[Tensor, " n"]

    def numbers(self, tasks: TaskSet) -> dict[str, float]:
        """SRCC on the query images, query loss at the start and the end, and its floor (nats)."""
        truth = tasks.scores[self.query].numpy()
        return {
            "query_srcc": srcc(self.predicted.numpy(), truth),
            "query_loss_first": float(self.losses["query"].head(5).mean()),
            "query_loss_last": float(self.losses["query"].tail(5).mean()),
            "label_entropy": label_entropy(tasks.scores),
        }

    def ranks(self, tasks: TaskSet) -> pd.Series:
        """SRCC on the query images of every task, the least first; a mixture is in the task of each of its types."""
        types = tasks.manifest.loc[self.query, "distortions"].str.split("+")
        rows = pd.DataFrame(
            {"type": types, "predicted": self.predicted.numpy(), "truth": tasks.scores[self.query].numpy()}
        )
        grouped = rows.explode("type").groupby("type")[["predicted", "truth"]]
        names = {str(kind.number): kind.title for kind in DISTORTIONS}
        ranks = grouped.apply(lambda some: srcc(some["predicted"].to_numpy(), some["truth"].to_numpy()))
        return ranks.rename(index=names).sort_values()


def pretrain_prompts(
    clip: CLIP, tasks: TaskSet, settings: Pretrain, prompts: Prompts, sight: Input, runtime: Runtime, seed: int
) -> Pretrained:
    """Meta-train fresh prompts on `tasks`; one that was interrupted goes on.

    Squashed images are of another size where they are query images of `sequential`: `sight.crop` pixels, all of the
    image, where `sight` has images in their own pixels.

    Raises:
        UserError: as `grmp.pretrain.pretrain`.
    """
    again = [settings.draw] if settings.draw > 1 else []  # the first draw is named by the seed alone
    torch.manual_seed(int(generator(seed, Stream.FRESH_PROMPTS, *again).initial_seed()) % 2**31)
    model = prompted(clip, prompts).to(runtime.device)
    query = tasks.manifest.index[tasks.manifest["photograph"].isin(tasks.query)]
    draws = generator(seed, Stream.TASKS, *again)
    squashed, sequential = isinstance(tasks.images, Squashed), settings.algorithm == "sequential"
    data = (
        tasks.images.state() if squashed else tasks.images,
        tasks.scores,
        {name: vars(pool) for name, pool in tasks.pools.items()},
    )
    start = model.state_dict(), draws.get_state(), torch.get_rng_state()
    name, device = "sequential" if sequential else "pre-training", str(runtime.device)
    store = kept_training(name, __name__, settings, sight, device, runtime.precision, data, start)
    rest = tasks.scores, tasks.pools, settings, sight, runtime, draws, store
    if sequential:
        queries = tasks.images.at(sight.crop) if squashed else tasks.images
        losses = pretrain_sequential(model, tasks.images, queries, *rest)
    else:
        losses = pretrain(model, tasks.images, *rest)
    crops = _centre_crops([tasks.images[row] for row in query], sight)
    return Pretrained(model, losses, query, _predict(model, crops, sight, runtime))


@torch.no_grad()
def _predict(
    model: PromptedCLIP, crops: UInt8[Tensor, "n scale 3 s s"], sight: Input, runtime: Runtime
) -> Float[Tensor, " n"]:
    model.eval()

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        with runtime.autocast():
            return {"quality": model(to_float(part.to(runtime.device))).float().cpu()}

    each = in_batches(crops.flatten(0, 1), run, "query photographs")["quality"]
    return average(each.unflatten(0, crops.shape[:2]), _weights(sight))


def _centre_crops(images: Iterable[UInt8[Tensor, "3 h w"]], sight: Input) -> UInt8[Tensor, "n scale 3 s s"]:
    return torch.stack([cut_views(image, centre_views(sight.views), sight.crop) for image in images])


def _weights(sight: Input) -> Float[Tensor, " scale"]:
    return view_weights(centre_views(sight.views))


def label_entropy(scores: Float[Tensor, " n"]) -> float:
    """Mean entropy of soft labels in nats: the quality loss of a model that predicts every score exactly."""
    labels = scores.clamp(1e-6, 1 - 1e-6)
    return float(-(labels * labels.log() + (1 - labels) * (1 - labels).log()).mean())


def learn_prior(model: PromptedCLIP, tasks: TaskSet, blocks: Sequence[int], sight: Input, runtime: Runtime) -> Prior:
    """What centre crops at every scale of `PRIOR_IMAGES` of `tasks`, seen with `model`'s prompts, teach a probe.

    It reads behind `blocks`, the mean over the scales.

    Raises:
        UserError: as `grmp.prior.learn`.
    """
    model.eval().requires_grad_(False).to(runtime.device)
    rows = manifests.sample(tasks.manifest, PRIOR_IMAGES).index
    crops = _centre_crops((tasks.images[row] for row in rows), sight)
    embeddings = embed(model, crops, _weights(sight), blocks, runtime)
    return learn(embeddings, tasks.scores[rows.tolist()], tasks.manifest.loc[rows, "photograph"].tolist())
