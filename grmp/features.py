"""Frozen work done once: what the frozen image blocks make of every target image, kept for all cells of the grid.

In fine-tuning, the image blocks below the first trained one see frozen weights and frozen prompts, so their output per
crop never changes. It is computed for a finite set of crops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from grmp.crops import average, to_float
from grmp.errors import UserError
from grmp.model import PromptedCLIP
from grmp.progress import Progress
from grmp.runtime import Runtime

BATCH = 32  # crops at a time; without effect on the result beyond rounding


@dataclass(frozen=True)
class Features:
    """Of each crop of each image: tokens in front of the first trained block, and the image embedding.

    `weights` are what each crop counts in a mean (`grmp.crops.view_weights`). `middle` are the embeddings read in the
    middle of the tower, where the probe does; None where nobody asked for them.
    """

    tokens: Float[Tensor, "n view t d"]
    embeddings: Float[Tensor, "n view e"]
    weights: Float[Tensor, " view"]
    middle: Float[Tensor, "n view block e"] | None = None

    def at(self, indices: Int[Tensor, " m"]) -> "Features":
        """Those of the images at `indices`."""
        return Features(
            **{name: value if name == "weights" else value[indices] for name, value in self.tensors().items()}
        )

    def average(self, values: Float[Tensor, "n view *shape"]) -> Float[Tensor, "n *shape"]:
        """The mean over the crops of each scale, then over the scales."""
        return average(values, self.weights)

    def probed(self) -> Float[Tensor, "n block e"]:
        """The mean of `middle`, which has to be there, over the crops.

        Raises:
            UserError: it is not.
        """
        if self.middle is None:
            raise UserError("the features hold nothing for a probe (finetune.probe_blocks); `dvc repro features` does")
        return self.average(self.middle)

    def tensors(self) -> dict[str, Tensor]:
        """All that there is, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def in_batches(
    crops: UInt8[Tensor, "n 3 s s"], run: Callable[[Tensor], dict[str, Tensor]], title: str
) -> dict[str, Tensor]:
    """What `run` makes of all crops, from batches."""
    progress, parts = Progress(title, -(-len(crops) // BATCH), "crops"), []
    for step, part in enumerate(crops.split(BATCH), 1):
        parts.append(run(part))
        progress.update(step, items=len(part))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def frozen_features(
    model: PromptedCLIP,
    crops: UInt8[Tensor, "n view 3 s s"],
    start_block: int,
    runtime: Runtime,
    title: str,
    keep_tokens: bool = True,
    probe_blocks: Sequence[int] = (),
    weights: Float[Tensor, " view"] | None = None,
) -> Features:
    """Run the frozen blocks over every crop, and the rest of the untrained tower for its embedding.

    Without `weights` all crops of an image count alike.
    Tokens are large: without `keep_tokens` an empty tensor stands in their place. The embedding is also read behind
    each of `probe_blocks`, counted from 1 (behind the last one where there are fewer).
    """
    probed = model.stops(probe_blocks)

    def run(part: UInt8[Tensor, "b 3 s s"]) -> dict[str, Tensor]:
        early, found = {}, {}
        with runtime.autocast():
            for stop, x in model.iterate_blocks(to_float(part.to(runtime.device)), {start_block, *probed}):
                if stop in probed:
                    early[stop] = model.embed_at(x).cpu()
                if stop == start_block:
                    found["embeddings"] = model.embed_from(x, start=start_block).cpu()
                    found["tokens"] = (x if keep_tokens else x[:, :0]).to(runtime.dtype).cpu()
        return found | ({"middle": torch.stack([early[stop] for stop in probed], dim=1)} if probed else {})

    whole = in_batches(crops.flatten(0, 1), run, title)
    weights = torch.full(crops.shape[1:2], 1 / crops.shape[1]) if weights is None else weights
    return Features(weights=weights, **{name: value.unflatten(0, crops.shape[:2]) for name, value in whole.items()})
