"""Tokens and embeddings of sentences, and the nine scene sentences."""

from functools import cache

import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from grmp.towers import embed_tokens, encode_text

SCENES = ("animal", "cityscape", "human", "indoor", "landscape", "night", "plant", "still_life", "others")
"""The nine scenes of LIQE (Zhang et al., CVPR 2023)."""
SCENE_TEMPLATES = ("a photo of a {}", "a picture of a {}", "a close-up photo of a {}", "an image of {}", "{}")
"""The first is LIQE's scene prompt, which QGR uses (docs/method.md); the others only vary the training."""


def tokenise(clip: CLIP, texts: list[str]) -> Int[Tensor, "b c"]:
    """CLIP's byte-pair tokens, padded to the longest of the texts; what does not fit the text tower is cut off."""
    with torch.device("cpu"):  # also where a model is only described
        tokens = _tokenizer(clip.context_length)(texts)
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]  # up to the last end of text, the highest token


@cache
def _tokenizer(context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=context_length)  # reads its vocabulary, which takes as long as a small step


def scene_texts(template: str = SCENE_TEMPLATES[0], underscore: bool = False) -> list[str]:
    """One sentence per scene of `SCENES`; `underscore` keeps that of `still_life`, as the published code does.

    >>> scene_texts()[0]
    'a photo of a animal'
    """
    return [template.format(scene if underscore else scene.replace("_", " ")) for scene in SCENES]


def encode(clip: CLIP, texts: list[str]) -> Float[Tensor, "b e"]:
    """L2-normalised embeddings of plain sentences."""
    device = clip.logit_scale.device
    return encode_text(clip, *embed_tokens(clip, tokenise(clip, texts).to(device)))
