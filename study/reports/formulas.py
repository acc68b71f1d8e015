"""Formulas of notebook text as inline drawings: MathJax would need the network, or megabytes in every page."""

import html
import re
from collections.abc import Iterator

from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.path import Path
from matplotlib.textpath import TextPath

UNITS_PER_EM = 100
_CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", flags=re.MULTILINE | re.DOTALL)
_FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\d$])", re.DOTALL
)
_MARK = "\ue000{}\ue001"  # private-use characters
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def lift_formulas(markdown: str, drawings: list[str]) -> str:
    """Markdown in which a mark stands for every `$...$` and `$$...$$` outside code; each drawing joins `drawings`.

    The drawing is an inline SVG in the colour of the text; what matplotlib's mathtext cannot set stays code that
    can be read. Marks, as Markdown and the repair of its HTML would break up an SVG.
    """

    def lift(match: re.Match[str]) -> str:
        drawings.append(_drawn(match))
        return _MARK.format(len(drawings) - 1)

    parts = _CODE.split(markdown)
    parts[::2] = [_FORMULA.sub(lift, part) for part in parts[::2]]
    return "".join(parts)


def place_formulas(body: str, drawings: list[str]) -> str:
    """HTML in which the drawings of `lift_formulas` have taken the place of their marks."""
    return re.sub(_MARK.format(r"(\d+)"), lambda match: drawings[int(match[1])], body)


def _drawn(match: re.Match[str]) -> str:
    tex = " ".join((match["block"] or match["inline"]).split())
    try:
        drawing = _svg(tex)
    except ValueError:
        drawing = f"<code>{html.escape(tex)}</code>"
    return f'<span class="formula">{drawing}</span>' if match["block"] else drawing


def _svg(tex: str) -> str:
    font = FontProperties(size=UNITS_PER_EM, math_fontfamily="dejavusans")
    width, height, depth, *_ = MathTextParser("path").parse(f"${tex}$", dpi=72, prop=font)
    outline = " ".join(_segments(TextPath((0, 0), f"${tex}$", prop=font)))
    box = f"0 {-height:.0f} {width:.0f} {height + depth:.0f}"
    ems = f"height:{(height + depth) / UNITS_PER_EM:.2f}em;vertical-align:{-depth / UNITS_PER_EM:.2f}em"
    return (
        f'<svg role="img" aria-label="{html.escape(tex)}" viewBox="{box}" style="{ems}">'
        f'<path fill="currentColor" d="{outline}"/></svg>'
    )


def _segments(path: Path) -> Iterator[str]:
    # SVG's vertical axis points down.
    for points, code in path.iter_segments(simplify=False):
        numbers = "" if code == Path.CLOSEPOLY else " ".join(f"{value:.0f}" for value in _flipped(points))
        yield _LETTERS[code] + numbers


def _flipped(points: list[float]) -> Iterator[float]:
    for index, value in enumerate(points):
        yield -value if index % 2 else value
