"""What a model makes of an image: quality, scenes, embedding, and where its image tower attends."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.crops import to_float
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from grmp.towers import first_token_shares


@dataclass(frozen=True)
class View:
    """Quality in (0, 1), the nine scenes' probabilities and embedding of an image, each the mean over its scales.

    With the crop at the first scale, and what `class_attention` gives for it.
    """

    crop: UInt8[Tensor, "3 s s"]
    quality: float
    scenes: Float[np.ndarray, "9"]
    embedding: Float[Tensor, " e"]
    attention: Float[np.ndarray, "rows columns"]


def crop_size(model: PromptedCLIP) -> int:
    """Side in pixels of the square crops that the model's image tower takes."""
    return model.clip.visual.image_size[0]


def class_attention(model: PromptedCLIP, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b rows columns"]:
    """Attention of the class token to every patch in the image tower's last block, as the mean over its heads.

    `x` are the tokens in front of that block. Values are shares of one: what they lack goes to the class token itself
    and to the block's prompt tokens.
    """
    block, prompt = model.clip.visual.transformer.resblocks[-1], model.prompt(-1)
    context = None if prompt is None else block.ln_1(prompt)
    shares = first_token_shares(block.attn, block.ln_1(x), context).mean(dim=1)  # [b, n]
    rows, columns = model.clip.visual.grid_size
    return shares[:, 1 : 1 + rows * columns].unflatten(1, (rows, columns))


@torch.no_grad()
def view(model: PromptedCLIP, crops: UInt8[Tensor, "scale 3 s s"], runtime: Runtime) -> View:
    """Everything about an image from one pass through the image tower, of a crop at each scale."""
    last = len(model.clip.visual.transformer.resblocks) - 1
    with runtime.autocast():
        x = model.tokens_before(to_float(crops.to(runtime.device)), stop=last)
        embedding = model.embed_from(x, start=last)
        quality, scenes = model.quality_logit(embedding).sigmoid(), model.scene_logits(embedding).softmax(dim=-1)
        attention = class_attention(model, x[:1])
    scenes, attention = (values.float().mean(dim=0).cpu().numpy() for values in (scenes, attention))
    return View(crops[0], float(quality.mean()), scenes, embedding.mean(dim=0).cpu(), attention)
