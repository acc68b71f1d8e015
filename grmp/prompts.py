"""The learned prompts: context for the text tower (CoOp), tokens for every block of the image tower (VPT-deep)."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

CONTEXT_STD = 0.02
"""Standard deviation of fresh context vectors (CoOp, Zhou et al., IJCV 2022; as in the published code), and of fresh
image prompt tokens (ours), which the published code draws otherwise: `VisualPrompt.start_as_published`."""


class TextPrompt(nn.Module):
    """Context vectors [v1]..[vM], shared by all classes, that stand before the class words (CoOp).

    >>> prompt = TextPrompt(length=2, width=3)
    >>> embedded = torch.zeros(1, 5, 3)  # start, two placeholders, a class word, end
    >>> bool((prompt(embedded)[0, 1:3] == prompt.context).all())
    True
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.context = nn.Parameter(torch.randn(length, width) * CONTEXT_STD)

    def forward(self, embedded: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Put the context in the place of the tokens that follow the start-of-text, as many as it has vectors."""
        length = len(self.context)
        context = self.context.expand(len(embedded), -1, -1).to(embedded.dtype)
        return torch.cat([embedded[:, :1], context, embedded[:, 1 + length :]], dim=1)


class VisualPrompt(nn.Module):
    """Prompt tokens for each of the first `depth` image blocks, replaced at every block (VPT-deep, Jia et al., 2022).

    Dropout acts on the tokens while they are trained. `norm` is an extra LayerNorm in front of the tower's last one.
    With `projection` all tokens pass one shared linear map, which starts as the identity; for ViT-B/16, 100 tokens and
    depth 12 that makes 1,513,728 parameters, and with the text context of OpenAI's tower the published 1,515,776.

    >>> VisualPrompt(tokens=8, depth=12, width=768)(block=0).shape
    torch.Size([8, 768])
    """

    def __init__(self, tokens: int, depth: int, width: int, dropout: float = 0.0, projection: bool = False) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(depth, tokens, width) * CONTEXT_STD)
        self.projection = _identity_map(width) if projection else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def start_as_published(self, patch: int) -> None:
        """Draw start values as VPT and the published code do, for a tower whose patches have `patch` pixels a side.

        Tokens uniformly within +-sqrt(6 / (3 patch^2 + width)); the map's weights from Kaiming's normal distribution
        (fan out), its bias as torch does.
        """
        bound = sqrt(6 / (3 * patch**2 + self.tokens.shape[-1]))
        nn.init.uniform_(self.tokens, -bound, bound)
        if isinstance(self.projection, nn.Linear):
            self.projection.reset_parameters()
            nn.init.kaiming_normal_(self.projection.weight, mode="fan_out")

    @property
    def depth(self) -> int:
        """Blocks that get tokens, counted from the first."""
        return len(self.tokens)

    def forward(self, block: int) -> Float[Tensor, "m d"]:
        """The tokens of this block, which class and patch tokens read beside each other."""
        return self.dropout(self.projection(self.tokens[block]))


def _identity_map(width: int) -> nn.Linear:
    layer = nn.Linear(width, width)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
