"""The embedded backbone's text tower, aligned to the locked image tower (LiT, Zhai et al., CVPR 2022).

It learns captions and scenes. No word about quality goes in, so that what prompts learn about quality is theirs.
"""

from functools import cache

import pandas as pd
import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor
from torch.nn import functional as F

from grmp.finite import check_step, largest
from grmp.journal import Journal
from grmp.params import Align
from grmp.photos import SCENES
from grmp.progress import Progress
from grmp.resume import Training
from grmp.towers import embed_tokens, encode_text

REMEDY = "lower align.learning_rate (params.yaml)"
SCENE_TEMPLATES = ("a photo of a {}", "a picture of a {}", "a close-up photo of a {}", "an image of {}", "{}")
"""The first is the one of METHOD: LIQE's scene prompt; the others only vary the training."""


def tokenise(clip: CLIP, texts: list[str]) -> Int[Tensor, "b c"]:
    """CLIP's byte-pair tokens, padded to the longest of the texts; what does not fit the text tower is cut off."""
    with torch.device("cpu"):  # also where a model is only described
        tokens = _tokenizer(clip.context_length)(texts)
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]  # up to the last end of text, the highest token


@cache
def _tokenizer(context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=context_length)  # reads its vocabulary, which takes as long as a small step


def scene_texts(template: str = SCENE_TEMPLATES[0]) -> list[str]:
    """One sentence per scene of `SCENES`."""
    return [template.format(scene.replace("_", " ")) for scene in SCENES]


def encode(clip: CLIP, texts: list[str]) -> Float[Tensor, "b e"]:
    """L2-normalised embeddings of plain sentences."""
    device = clip.logit_scale.device
    return encode_text(clip, *embed_tokens(clip, tokenise(clip, texts).to(device)))


def scene_loss(
    features: Float[Tensor, "b e"], scenes: Int[Tensor, " b"], texts: Float[Tensor, "9 e"], scale: Tensor
) -> Tensor:
    """Cross-entropy of image embeddings against the nine scene sentences."""
    return F.cross_entropy(scale * features @ texts.T, scenes)


def caption_loss(features: Float[Tensor, "b e"], texts: Float[Tensor, "b e"], scale: Tensor) -> Tensor:
    """CLIP's symmetric contrastive loss (Radford et al., ICML 2021) over photographs and their captions."""
    logits = scale * features @ texts.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def text_parameters(clip: CLIP) -> list[Tensor]:
    """Everything but the image tower."""
    return [parameter for name, parameter in clip.named_parameters() if not name.startswith("visual.")]


def train_text_tower(
    clip: CLIP,
    features: Float[Tensor, "photo crop e"],
    captions: list[str],
    scenes: Int[Tensor, " photo"],
    settings: Align,
    generator: torch.Generator,
) -> pd.DataFrame:
    """Align the text tower of `clip` in place to L2-normalised image `features` (several crops per photograph).

    Goes on where it was interrupted.

    Each step draws one crop per photograph, and one template for the nine scenes. Returns one row per step: step,
    caption (loss), scene (loss).

    Raises:
        UserError: a loss or a gradient is NaN or infinite; with the step.
    """
    parameters = text_parameters(clip)
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    start = (clip.state_dict(), generator.get_state(), torch.get_rng_state())
    journal = Journal("align the text tower", settings, features, captions, scenes, *start)
    training = Training(journal, parameters, optimiser, schedule, generator)
    rows, progress = training.restore(), Progress("align the text tower", settings.steps)
    for step in range(len(rows) + 1, settings.steps + 1):
        chosen = torch.randint(features.shape[1], (len(features),), generator=generator)
        images = features[torch.arange(len(features)), chosen]
        template = SCENE_TEMPLATES[int(torch.randint(len(SCENE_TEMPLATES), (1,), generator=generator))]
        texts = encode(clip, captions + scene_texts(template))
        scale = clip.logit_scale.exp().clamp(max=100)
        losses = (
            caption_loss(images, texts[: len(captions)], scale),
            scene_loss(images, scenes, texts[len(captions) :], scale),
        )
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
        schedule.step()
        rows.append((step, *(float(loss.detach()) for loss in losses)))
        named = dict(zip(("caption", "scene"), rows[-1][1:]))
        slopes = [parameter.grad for parameter in parameters if parameter.grad is not None]
        check_step("align the text tower", step, named, float(largest(slopes)), "every photograph", REMEDY)
        training.keep(rows, last=step == settings.steps)
        progress.update(step, items=len(images), caption=rows[-1][1], scene=rows[-1][2])
    for parameter in parameters:
        parameter.requires_grad_(False)
    return pd.DataFrame(rows, columns=["step", "caption", "scene"])
