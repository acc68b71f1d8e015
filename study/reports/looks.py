"""How every variant is called and drawn: told apart by colour, marker and dash, and by lightness in grey print."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Look:
    """A variant's look.

    Args:
        title: its name for readers; what is ours and not the paper's says so.
        colour: of lines and text, so dark enough for text on white.
        marker: matplotlib's.
        dash: matplotlib's line style.
    """

    title: str
    colour: str
    marker: str
    dash: str | tuple

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments for matplotlib's line functions."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.dash}


# The colours are Okabe and Ito's, safe for colour-blind readers; orange is darkened, as it carries text.
LOOKS = {
    "full": Look("MPP + QGR (full)", "#0072B2", "o", "-"),
    "without_mpp": Look("without MPP", "#D55E00", "s", "--"),
    "without_qgr": Look("without QGR", "#009E73", "^", "-."),
    "without_both": Look("without both", "#A8588A", "D", ":"),
    "ridge": Look("frozen CLIP + ridge", "#5A5A5A", "X", (0, (6, 2))),
    "probe": Look("middle blocks + ridge (ours)", "#7A5C00", "P", (0, (1, 3))),
    "full_probe": Look("MPP + QGR + probe (ours)", "#000000", "*", (0, (8, 1))),
    "without_mpp_probe": Look("QGR + probe, without MPP (ours)", "#7F1D1D", "v", (0, (4, 1, 1, 1))),
}


def title(variant: str) -> str:
    """The variant's name for readers, such as `without MPP`."""
    return LOOKS[variant].title


def variants_in(names: Iterable[str]) -> list[str]:
    """The variants among `names`, each once, in the order of the study."""
    found = set(names)
    return [variant for variant in LOOKS if variant in found]
