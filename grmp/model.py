"""PromptedCLIP: images to quality, and images to scene logits."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor, nn
from torch.nn import functional as F

from grmp.errors import UserError
from grmp.prompts import TextPrompt, VisualPrompt
from grmp.settings import Prompts
from grmp.text import scene_texts, tokenise
from grmp.towers import (
    embed_patches,
    embed_tokens,
    encode_text,
    keep_patches,
    pool_image,
    pool_text,
    run_block,
    run_first_token,
    run_text,
)

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's own pixel statistics (Radford et al., ICML 2021)."""
PIXELS = {"clip": (CLIP_MEAN, CLIP_STD), "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}
"""Mean and spread that images are brought to, by the value of `prompts.pixels`; the published code takes ImageNet's."""
CLASSES = ("high quality.", "low quality.")


class PromptedCLIP(nn.Module):
    """CLIP whose two towers are steered by learned prompts (GRMP-IQA, arXiv 2409.05381).

    `q(x) = softmax(s * [f . t_hi, f . t_lo])_hi`, where f is the L2-normalised image embedding, t the L2-normalised
    embeddings of "[v1]..[vM] high quality." and "... low quality.", s CLIP's logit scale.
    """

    tokens: Int[Tensor, "2 c"]
    scenes: Int[Tensor, "9 c"]
    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    def __init__(
        self,
        clip: CLIP,
        text_prompt: TextPrompt,
        visual_prompt: VisualPrompt | None = None,
        pixels: str = "clip",
        underscore: bool = False,
    ) -> None:
        super().__init__()
        self.clip = clip
        self.text_prompt = text_prompt
        self.visual_prompt = visual_prompt
        placeholder = " ".join(["X"] * len(text_prompt.context))
        self.register_buffer("tokens", tokenise(clip, [f"{placeholder} {name}" for name in CLASSES]), persistent=False)
        self.register_buffer("scenes", tokenise(clip, scene_texts(underscore=underscore)), persistent=False)
        for name, values in zip(("mean", "std"), PIXELS[pixels]):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(
        self, images: Float[Tensor, "b 3 h w"], as_logit: bool = False, patches: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, " b"]:
        """Quality in (0, 1), higher is better, of images in [0, 1]; `as_logit` gives what its sigmoid is taken of."""
        logit = self.quality_logit(self.encode_image(images, patches))
        return logit if as_logit else logit.sigmoid()

    def encode_image(
        self, images: Float[Tensor, "b 3 h w"], patches: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b e"]:
        """L2-normalised embeddings of images in [0, 1], from all patches or from those at these indices alone."""
        x = self.tokens_before(images, stop=0)
        return self.embed_from(x if patches is None else keep_patches(x, patches), start=0)

    def tokens_before(self, images: Float[Tensor, "b 3 h w"], stop: int) -> Float[Tensor, "b n d"]:
        """Class and patch tokens in front of block `stop` (no prompt tokens: the block brings its own)."""
        return self.run_blocks(embed_patches(self.clip, (images - self.mean) / self.std), 0, stop)

    def run_blocks(self, x: Float[Tensor, "b n d"], start: int, stop: int) -> Float[Tensor, "b n d"]:
        """The tokens in front of block `stop` from those in front of block `start`."""
        for index in range(start, stop):
            x = self._run(x, index)
        return x

    def iterate_blocks(self, images: Float[Tensor, "b 3 h w"], stops: Iterable[int]) -> Iterator[tuple[int, Tensor]]:
        """Every one of `stops`, in ascending order, with the tokens in front of that block."""
        x, here = self.tokens_before(images, stop=0), 0
        for stop in sorted(set(stops)):
            x, here = self.run_blocks(x, here, stop), stop
            yield stop, x

    def embed_at(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b e"]:
        """L2-normalised embeddings as if the blocks that are still to come were not there."""
        return pool_image(self.clip, x[:, :1])

    def embed_from(self, x: Float[Tensor, "b n d"], start: int) -> Float[Tensor, "b e"]:
        """L2-normalised embeddings from the tokens in front of block `start`."""
        blocks = self.clip.visual.transformer.resblocks
        x = self.run_blocks(x, start, len(blocks) - 1)
        x = run_first_token(blocks[-1], x, self.prompt(-1))
        return pool_image(self.clip, x if self.visual_prompt is None else self.visual_prompt.norm(x))

    def _run(self, x: Float[Tensor, "b n d"], index: int) -> Float[Tensor, "b n d"]:
        return run_block(self.clip.visual.transformer.resblocks[index], x, context=self.prompt(index))

    def encode_along(
        self, images: Float[Tensor, "b 3 h w"], blocks: Sequence[int]
    ) -> tuple[Float[Tensor, "b e"], Float[Tensor, "b block e"]]:
        """L2-normalised embeddings of images in [0, 1], at the end and as read behind `blocks`, counted from 1.

        Where there are fewer blocks, behind the last one.
        """
        stops, last = self.stops(blocks), len(self.clip.visual.transformer.resblocks) - 1
        early = {}
        for stop, x in self.iterate_blocks(images, {*stops, last}):
            early[stop] = self.embed_at(x)
            if stop == last:
                whole = self.embed_from(x, start=last)
        return whole, torch.stack([early[stop] for stop in stops], dim=1)

    def stops(self, blocks: Iterable[int]) -> list[int]:
        """The index of the block behind each of `blocks`, which count from 1; at the end where there are fewer."""
        return [min(block, len(self.clip.visual.transformer.resblocks)) for block in blocks]

    @property
    def patch(self) -> int:
        """Pixels of a side of the square patches that the image tower cuts images into."""
        return self.clip.visual.patch_size[0]

    def prompt(self, index: int) -> Float[Tensor, "m d"] | None:
        """The prompt tokens of image block `index`, counted from the end where negative; None where it has none."""
        index %= len(self.clip.visual.transformer.resblocks)
        return self.visual_prompt(index) if self.visual_prompt and index < self.visual_prompt.depth else None

    def class_features(self) -> Float[Tensor, "2 e"]:
        """L2-normalised embeddings of "high quality." and "low quality." behind the learned context."""
        embedded, ends = embed_tokens(self.clip, self.tokens)
        return encode_text(self.clip, self.text_prompt(embedded), ends)

    def scene_features(self) -> Float[Tensor, "9 e"]:
        """L2-normalised embeddings of the nine scene sentences, without context."""
        return self.embed_scenes_from(self.scene_tokens_before(0), 0)

    def scene_tokens_before(self, stop: int) -> Float[Tensor, "9 n d"]:
        """Tokens of the nine scene sentences in front of text block `stop`."""
        embedded, _ = embed_tokens(self.clip, self.scenes)
        return run_text(self.clip, embedded + self.clip.positional_embedding[: embedded.shape[1]], 0, stop)

    def embed_scenes_from(self, x: Float[Tensor, "9 n d"], start: int) -> Float[Tensor, "9 e"]:
        """L2-normalised embeddings from the scene tokens in front of text block `start`."""
        x = run_text(self.clip, x, start, len(self.clip.transformer.resblocks))
        return pool_text(self.clip, x, self.scenes.argmax(dim=-1))

    def quality_logit(
        self, features: Float[Tensor, "b e"], classes: Float[Tensor, "2 e"] | None = None
    ) -> Float[Tensor, " b"]:
        """`s * f . (t_hi - t_lo)`, whose sigmoid is the two-way softmax, hence the quality.

        `classes` are `class_features`, where they are at hand.
        """
        high, low = self.class_features() if classes is None else classes
        return self._scaled(features, (high - low)[None]).squeeze(-1)

    def scene_logits(
        self, features: Float[Tensor, "b e"], scenes: Float[Tensor, "9 e"] | None = None
    ) -> Float[Tensor, "b 9"]:
        """Logits over the nine scenes; `scenes` are `scene_features`, where they are at hand."""
        return self._scaled(features, self.scene_features() if scenes is None else scenes)

    def _scaled(self, features: Float[Tensor, "b e"], texts: Float[Tensor, "c e"]) -> Float[Tensor, "b c"]:
        # Not in bf16: its eight bits would tie predictions that differ.
        with torch.autocast(features.device.type, enabled=False):
            return self.clip.logit_scale.exp() * features @ texts.T

    def prompt_parameters(self) -> dict[str, Tensor]:
        """The prompts of both towers by name: all that pre-training trains."""
        return {name: value for name, value in self.named_parameters() if not name.startswith("clip.")}

    def tuned_parameters(self, blocks: int) -> dict[str, Tensor]:
        """What fine-tuning trains: text context, the last `blocks` of either tower, and their final norms."""
        return {name: value for name, value in self.named_parameters() if name.startswith(tuple(self._tuned(blocks)))}

    def _tuned(self, blocks: int) -> Iterator[str]:
        yield from ("text_prompt.", "clip.ln_final.", "clip.visual.ln_post.")
        for tower in ("clip.transformer", "clip.visual.transformer"):
            depth = len(list(self.get_submodule(f"{tower}.resblocks").children()))
            yield from (f"{tower}.resblocks.{index}." for index in range(depth - min(blocks, depth), depth))


def prompted(clip: CLIP, prompts: Prompts) -> PromptedCLIP:
    """`clip` with fresh prompts; no image prompt tokens where `prompts.image_tokens` is 0.

    Raises:
        UserError: the context leaves no room for the class words.
    """
    room = clip.context_length - 5  # start, "high", "quality", ".", end
    if prompts.context > room:
        raise UserError(
            f"params.yaml: prompts.context: {prompts.context} does not fit; the text tower takes up to {room}"
        )
    text = TextPrompt(prompts.context, clip.token_embedding.embedding_dim)
    depth = min(prompts.depth, len(clip.visual.transformer.resblocks))
    width = clip.visual.conv1.out_channels
    visual = None
    if prompts.image_tokens:
        visual = VisualPrompt(prompts.image_tokens, depth, width, prompts.dropout, prompts.projection)
        if prompts.start == "published":
            visual.start_as_published(clip.visual.patch_size[0])
    return PromptedCLIP(clip, text, visual, prompts.pixels, prompts.underscore)


def unprompted(clip: CLIP, prompts: Prompts) -> PromptedCLIP:
    """`clip` without image prompts: the teacher, and where variants without MPP start. The text context is fresh."""
    return prompted(clip, prompts.model_copy(update={"image_tokens": 0}))


def first_trained_block(model: PromptedCLIP, blocks: int) -> int:
    """Index of the first image block that fine-tuning trains."""
    return max(0, len(model.clip.visual.transformer.resblocks) - blocks)


def first_trained_text_block(model: PromptedCLIP, blocks: int) -> int:
    """Index of the first text block that fine-tuning trains."""
    return max(0, len(model.clip.transformer.resblocks) - blocks)


def quality_loss(logit: Float[Tensor, " b"], label: Float[Tensor, " b"]) -> Tensor:
    """Binary cross-entropy with the soft label in [0, 1], from logits: `-mean(y log q + (1 - y) log(1 - q))`."""
    return F.binary_cross_entropy_with_logits(logit, label)


def semantic_loss(student: Float[Tensor, "b 9"], teacher: Float[Tensor, "b 9"]) -> Tensor:
    """Cross-entropy between the student's scene probabilities and the untouched CLIP's, temperature 1 (QGR)."""
    return F.cross_entropy(student, teacher.softmax(dim=-1))
