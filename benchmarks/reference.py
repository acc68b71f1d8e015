"""The method as it is published, written plainly, to be measured against: every step does all of its work again.

Both towers run in full through open_clip's own modules, with the prompt tokens in the sequence of every block; the
untouched CLIP judges the scenes of the same images; two backward passes; a loop over tensors for the projection; the
optimiser as it comes. Nothing is done twice that a straightforward program would do once: the untouched CLIP's nine
sentences are encoded once. Nothing of `grmp.towers`, `grmp.features`, `grmp.finetune` or `grmp.meta` is used.
"""

import copy
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from grmp.prompts import TextPrompt, VisualPrompt
from grmp.runtime import Runtime
from grmp.settings import Finetune, Pretrain, Qgr
from study.data.photos import SCENES

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CLASSES = ("high quality.", "low quality.")


class Reference(nn.Module):
    """CLIP with prompts in both towers; its parameters carry the same names as those of `grmp.model.PromptedCLIP`."""

    def __init__(self, clip: CLIP, text_prompt: TextPrompt, visual_prompt: VisualPrompt | None) -> None:
        super().__init__()
        self.clip, self.text_prompt, self.visual_prompt = clip, text_prompt, visual_prompt
        tokenize = SimpleTokenizer(context_length=clip.context_length)
        placeholder = " ".join(["X"] * len(text_prompt.context))
        scenes = [f"a photo of a {scene.replace('_', ' ')}" for scene in SCENES]
        self.register_buffer("classes", tokenize([f"{placeholder} {name}" for name in CLASSES]), persistent=False)
        self.register_buffer("scenes", tokenize(scenes), persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def normalise(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Bytes as CLIP takes them."""
        return (images / 255 - self.mean) / self.std

    def encode_image(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """L2-normalised embeddings; each block's prompt tokens take the place of those of the block before."""
        visual, x, before = self.clip.visual, self.clip.visual._embeds(images), 0
        for index, block in enumerate(visual.transformer.resblocks):
            if self.visual_prompt is not None and index < self.visual_prompt.depth:
                tokens = self.visual_prompt(index)
                x = torch.cat([x[:, :1], tokens.to(x).expand(len(x), -1, -1), x[:, 1 + before :]], dim=1)
                before = len(tokens)
            x = block(x)  # [b, 1 + m + n, d]
        x = torch.cat([x[:, :1], x[:, 1 + before :]], dim=1)
        if self.visual_prompt is not None:
            x = self.visual_prompt.norm(x)
        pooled, _ = visual._pool(x)
        return F.normalize((pooled @ visual.proj).float(), dim=-1)

    def encode_text(self, tokens: Int[Tensor, "b c"], prompt: TextPrompt | None = None) -> Float[Tensor, "b e"]:
        """L2-normalised embeddings of padded sentences, behind the learned context where there is a `prompt`."""
        x = self.clip.token_embedding(tokens)
        x = (x if prompt is None else prompt(x)) + self.clip.positional_embedding
        x = self.clip.ln_final(self.clip.transformer(x, attn_mask=self.clip.attn_mask))
        x = x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)]
        return F.normalize((x @ self.clip.text_projection).float(), dim=-1)

    def quality_logit(self, features: Float[Tensor, "b e"]) -> Float[Tensor, " b"]:
        """The difference of the two classes' logits, whose sigmoid is their softmax, hence the quality."""
        high, low = self.logits(features, self.encode_text(self.classes, self.text_prompt)).unbind(dim=-1)
        return high - low

    def logits(self, features: Float[Tensor, "b e"], texts: Float[Tensor, "c e"]) -> Float[Tensor, "b c"]:
        """Scaled cosines, in float32."""
        with torch.autocast(features.device.type, enabled=False):
            return self.clip.logit_scale.exp() * features @ texts.T

    def forward(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """Quality of images (bytes), in (0, 1)."""
        return self.quality_logit(self.encode_image(self.normalise(images))).sigmoid()


def trained(model: Reference, blocks: int) -> dict[str, Tensor]:
    """Text context, the last `blocks` of either tower and their final norms, by name; all else is frozen."""
    towers = {"clip.transformer": model.clip.transformer, "clip.visual.transformer": model.clip.visual.transformer}
    last = [
        f"{name}.resblocks.{index}."
        for name, tower in towers.items()
        for index in range(len(tower.resblocks))[-blocks:]
    ]
    wanted = ("text_prompt.", "clip.ln_final.", "clip.visual.ln_post.", *last)
    found = {name: value for name, value in model.named_parameters() if name.startswith(wanted)}
    model.requires_grad_(False).eval()
    for parameter in found.values():
        parameter.requires_grad_(True)
    return found


def gradient(loss: Tensor, parameters: list[Tensor], keep: bool) -> list[Tensor]:
    """One backward pass; zeros where a parameter takes no part."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward(retain_graph=keep)
    return [torch.zeros_like(value) if value.grad is None else value.grad for value in parameters]


def project(quality: list[Tensor], semantic: list[Tensor], strength: float) -> Iterator[Tensor]:
    """QGR: tensor by tensor, `strength` times the aligned part of the semantic gradient is taken out."""
    for g_q, g_s in zip(quality, semantic):
        inner = (g_q * g_s).sum()
        yield g_q - strength * inner / (g_s * g_s).sum() * g_s if inner > 0 else g_q


def cosine(quality: list[Tensor], semantic: list[Tensor]) -> float:
    """Of the angle between the two gradients as wholes, which the published code logs at every step."""
    flat = [torch.cat([value.flatten() for value in values]) for values in (quality, semantic)]
    return F.cosine_similarity(*flat, dim=0).item()


def finetune(
    model: Reference,
    images: UInt8[Tensor, "k view 3 s s"],
    scores: Float[Tensor, " k"],
    settings: Finetune,
    qgr: Qgr,
    runtime: Runtime,
    generator: torch.Generator,
) -> list[tuple[float, float, float]]:
    """Fine-tune `model` in place; quality loss, semantic loss and cosine of every step."""
    teacher, tuned = copy.deepcopy(model).requires_grad_(False).eval(), trained(model, settings.blocks)
    parameters = list(tuned.values())
    rates = {name: settings.learning_rate if "visual." in name else settings.text_learning_rate for name in tuned}
    groups = [{"params": [value], "lr": rates[name]} for name, value in tuned.items()]
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, list(rates.values()), settings.steps)
    rows = []
    with torch.no_grad(), runtime.autocast():
        sentences = teacher.encode_text(teacher.scenes)
    teacher.visual_prompt = None
    for _ in range(settings.steps):
        chosen = torch.randperm(len(scores), generator=generator)[: settings.batch]
        views = torch.full(images.shape[1:2], 1 / images.shape[1]).multinomial(len(chosen), True, generator=generator)
        batch, label = images[chosen, views].to(runtime.device), scores[chosen].to(runtime.device)
        with runtime.autocast():
            pixels = model.normalise(batch)
            with torch.no_grad():
                target = model.logits(teacher.encode_image(pixels), sentences).softmax(dim=-1)
            features = model.encode_image(pixels)
            quality = F.binary_cross_entropy_with_logits(model.quality_logit(features), label)
            semantic = F.cross_entropy(model.logits(features, model.encode_text(model.scenes)), target)
        g_q, g_s = gradient(quality, parameters, keep=True), gradient(semantic, parameters, keep=False)
        rows.append((quality.item(), semantic.item(), cosine(g_q, g_s)))
        for parameter, value in zip(parameters, project(g_q, g_s, qgr.strength)):
            parameter.grad = value
        optimiser.step()
        schedule.step()
    return rows


def pretrain_step(
    model: Reference,
    tasks: list[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]],
    settings: Pretrain,
    runtime: Runtime,
) -> None:
    """One outer step of Reptile in place, `theta <- theta - rate * mean_i(theta - theta_i)`, by Adam within a task.

    A task is a support and a query batch, each of images (bytes) and scores. Only the prompts are trained.
    """
    model.requires_grad_(False).train()
    prompts = {name: value for name, value in model.named_parameters() if not name.startswith("clip.")}
    before = {name: value.detach().clone() for name, value in prompts.items()}
    moved = {name: torch.zeros_like(value) for name, value in before.items()}
    for task in tasks:
        optimiser = torch.optim.Adam([value.requires_grad_(True) for value in prompts.values()], settings.inner_rate)
        for images, scores in task:
            with runtime.autocast():
                logit = model.quality_logit(model.encode_image(model.normalise(images.to(runtime.device))))
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(logit, scores.to(runtime.device)).backward()
            optimiser.step()
        with torch.no_grad():
            for name, value in prompts.items():
                moved[name] += (before[name] - value) / len(tasks)
                value.copy_(before[name])
    with torch.no_grad():
        for name, value in prompts.items():
            value -= settings.outer_rate * moved[name]


@torch.no_grad()
def predict(model: Reference, images: UInt8[Tensor, "n view 3 s s"], runtime: Runtime, batch: int) -> Tensor:
    """Quality of images as the mean over their views, on the CPU."""
    with runtime.autocast():
        parts = [model(part.to(runtime.device)).float().cpu() for part in images.flatten(0, 1).split(batch)]
    return torch.cat(parts).unflatten(0, images.shape[:2]).mean(dim=1)
