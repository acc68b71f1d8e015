"""QGR in a plane: two gradients as arrows, what the projection takes away, and the same in words."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from grmp.projection import When, project
from study.reports.style import FAINT, new_axes

QUALITY, SEMANTIC, RESULT = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito, as in the study's other figures
ACTS = {
    "aligned": "acts where they agree",
    "conflict": "acts where they conflict",
    "always": "acts in either case",
    "never": "never acts",
}
LARGEST = 5.0
"""The strength that the published code has by default."""
REACHES = (1.5, 4.5)
"""What the figure shows to either side: unit gradients, or all that `LARGEST` can make of them."""
_Q, _S = "g<sub>q</sub>", "g<sub>s</sub>"  # no formulas: they would stay raw where no MathJax is
_NONE = 1e-6  # float32's rounding of a right angle


@dataclass(frozen=True)
class Gradients:
    """Quality and semantic gradient as unit vectors in a plane, and what `project` makes of the first."""

    quality: Tensor
    semantic: Tensor
    result: Tensor

    @property
    def cosine(self) -> float:
        """Of the angle between the two; also the part of the quality gradient along the semantic one."""
        return float(self.quality @ self.semantic)

    @property
    def left(self) -> float:
        """The part of the result along the semantic gradient; 0 where only rounding is left."""
        along = float(self.result @ self.semantic)
        return along if abs(along) > _NONE else 0.0


def gradients(angle: float, strength: float, when: When) -> Gradients:
    """Two unit gradients `angle` degrees apart, and the projection at this `strength` (lambda)."""
    radians = np.deg2rad(angle)
    quality = torch.tensor([np.cos(radians), np.sin(radians)], dtype=torch.float32)
    semantic = torch.tensor([1.0, 0.0])
    [result] = project([quality], [semantic], strength, when, "tensor").gradients
    return Gradients(quality, semantic, result)


def in_words(found: Gradients, strength: float, when: When) -> str:
    """Which case this is, whether the projection acts, and what is left along the semantic gradient; Markdown."""
    if abs(found.cosine) < _NONE:
        return f"The gradients stand at a **right angle**: {_Q} has no part along {_S} that could be removed."
    case = f"The gradients **{'agree' if found.cosine > 0 else 'conflict'}**; `{when}` {ACTS[when]}"
    if torch.equal(found.result, found.quality):
        return f"{case}. **Nothing is removed** (λ = {strength:g}): g = {_Q}."
    return (
        f"{case}. Removed is **{strength:g} times** the part of {_Q} along {_S}, which was {found.cosine:.2f} and "
        f"is {found.left:.2f} now: {_left(found)}"
    )


def _left(found: Gradients) -> str:
    if found.left == 0:
        return f"what is left stands at a right angle to {_S}."
    if found.left * found.cosine > 0:
        return "some of the shared direction stays."
    return "more than all of it, so the result has changed sides."


def draw(found: Gradients) -> Figure:
    """The three gradients, and dotted what was removed; one of two scales, so that small moves can be compared."""
    axes = new_axes(8.4, 3.5)
    # The result first: where it is the quality gradient itself, both are then seen.
    _arrow(axes, found.result, RESULT, f"$g$, result: length {found.result.norm():.2f}", width=6)
    _arrow(axes, found.quality, QUALITY, "$g_q$, quality gradient")
    _arrow(axes, found.semantic, SEMANTIC, "$g_s$, semantic gradient")
    removed = np.transpose([found.quality.numpy(), found.result.numpy()])
    axes.plot(*removed, color=FAINT, linestyle=":", zorder=1, label="removed")
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    reach = next(size for size in REACHES if found.result.abs().max() < size)
    axes.set(xlim=(-reach, reach), ylim=(-0.42 * reach, 0.72 * reach), aspect="equal", yticks=[])
    axes.set_xlabel("part along $g_s$")
    axes.set_title("conflicts with $g_s$  ←  |  →  agrees with $g_s$", loc="center", color=FAINT, fontsize=9.5)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.spines["left"].set_visible(False)
    return axes.figure


def _arrow(axes: Axes, to: Tensor, colour: str, name: str, width: float = 2.2) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", to.tolist(), (0, 0), arrowprops={**style, "mutation_scale": 10 + 2 * width})
    axes.plot([], color=colour, linewidth=width, label=name)
