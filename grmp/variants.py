"""The variants of the study, each in one line: what readers call it, how it is drawn, what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One way to learn from few labels, and how it looks in every figure.

    Told apart by colour, by marker and dash, and by lightness in grey print.

    Args:
        title: its name for readers.
        colour: of lines and text, so dark enough for text on white.
        marker: matplotlib's.
        dash: matplotlib's line style.
        mpp: starts from the meta-trained prompts, and a probe has the prior that their images taught; else there are no
            image prompts, and the text context is random.
        qgr: regularises its gradients.
        rule: keys of params.yaml's section `qgr` that it sets for itself.
        tuned: is fine-tuned; else it is a ridge regression on frozen embeddings.
        probe: has regressions on the class token in the middle of the tower (`grmp.probe`): averaged in, by their
            share, where it is tuned, else in the place of the last block's.
    """

    title: str
    colour: str
    marker: str
    dash: str | tuple
    mpp: bool = True
    qgr: bool = True
    rule: Mapping[str, Any] = field(default_factory=dict)
    tuned: bool = True
    probe: bool = False

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments for matplotlib's line functions."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.dash}


# The colours are Okabe and Ito's, safe for colour-blind readers; orange is darkened, as it carries text.
VARIANTS = {
    "full": Variant("MPP + QGR (full)", "#0072B2", "o", "-"),
    "without_mpp": Variant("without MPP", "#D55E00", "s", "--", mpp=False),
    "without_qgr": Variant("without QGR", "#009E73", "^", "-.", qgr=False),
    "without_both": Variant("without both", "#A8588A", "D", ":", mpp=False, qgr=False),
    "ridge": Variant("frozen CLIP + ridge", "#5A5A5A", "X", (0, (6, 2)), mpp=False, qgr=False, tuned=False),
    "probe": Variant(
        "middle blocks + ridge", "#7A5C00", "P", (0, (1, 3)), mpp=False, qgr=False, tuned=False, probe=True
    ),
    "full_probe": Variant("MPP + QGR + probe", "#000000", "*", (0, (8, 1)), probe=True),
}
