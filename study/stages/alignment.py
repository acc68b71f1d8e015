"""The embedded backbone's text tower, aligned to the locked image tower (LiT, Zhai et al., CVPR 2022).

It learns captions and scenes. No word about quality goes in, so that what prompts learn about quality is theirs.
"""

import pandas as pd
import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor
from torch.nn import functional as F

from grmp.checks import check_step, largest
from grmp.progress import Progress
from grmp.runtime import Stream, generator
from grmp.settings import Align
from grmp.text import SCENE_TEMPLATES, encode, scene_texts
from grmp.training import Store, Training
from study.running.kept import kept_training

REMEDY = "lower align.learning_rate (params.yaml)"


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
    """All parameters but the image tower's."""
    return [parameter for name, parameter in clip.named_parameters() if not name.startswith("visual.")]


def train_text_tower(
    clip: CLIP,
    features: Float[Tensor, "photo crop e"],
    captions: list[str],
    scenes: Int[Tensor, " photo"],
    settings: Align,
    generator: torch.Generator,
    store: Store | None = None,
) -> pd.DataFrame:
    """Align the text tower of `clip` in place to L2-normalised image `features` (several crops per photograph).

    Goes on from the state in `store`. It runs where `clip` is.

    Each step draws one crop per photograph, and one template for the nine scenes. Returns one row per step: step,
    caption (loss), scene (loss).

    Raises:
        UserError: a loss or a gradient is NaN or infinite; with the step.
    """
    place = clip.logit_scale.device
    features, scenes = features.to(place), scenes.to(place)
    parameters = text_parameters(clip)
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    training = Training(store, parameters, optimiser, schedule, generator)
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
        torch.stack(losses).sum().backward()
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


def align_text_tower(
    clip: CLIP,
    features: Float[Tensor, "photo crop e"],
    captions: list[str],
    scenes: Int[Tensor, " photo"],
    settings: Align,
    seed: int,
) -> pd.DataFrame:
    """Align the text tower of `clip` in place, as `train_text_tower`; one that was interrupted goes on.

    Raises:
        UserError: as `train_text_tower`.
    """
    draws = generator(seed, Stream.ALIGNMENT)
    start = clip.state_dict(), draws.get_state(), torch.get_rng_state()
    device = str(clip.logit_scale.device)
    store = kept_training("alignment", __name__, settings, device, features, captions, scenes, start)
    return train_text_tower(clip, features, captions, scenes, settings, draws, store)
