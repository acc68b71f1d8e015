"""Words and a picture that follow controls, and that stay where controls cannot run.

What is shown is an ordinary output, replaced at every change, and not a widget: a page, a code host's preview or a
notebook without its kernel then still has it, as it was last.
"""

from collections.abc import Callable

from IPython.display import Image, Markdown, display
from ipywidgets import Widget
from matplotlib.figure import Figure

from grmp.errors import UserError

Shown = tuple[str, Image | Figure | Markdown]
"""Words in Markdown, and a picture."""


def follow(controls: Widget, inputs: list[Widget], show: Callable[[], Shown]) -> None:
    """Display `controls`, below them the Markdown and the picture that `show` returns, anew when an input changes.

    What the user can mend is said in the place of the words.
    """
    _display_controls(controls)
    outputs = [display(Markdown(""), display_id=True) for _ in ("words", "picture")]

    def refresh(_: dict | None = None) -> None:
        try:
            words, picture = show()
        except UserError as error:
            words, picture = f"**{error}**", Markdown("")
        outputs[0].update(Markdown(words))
        outputs[1].update(picture)

    for widget in inputs:
        widget.observe(refresh, names="value")
    refresh()


def _display_controls(controls: Widget) -> None:
    # Where widgets do not run, the plain text is what readers see of them: ipywidgets' own is a constructor call.
    bundle = dict(controls._repr_mimebundle_())
    display({**bundle, "text/plain": "(controls; they run in JupyterLab: make explore)"}, raw=True)
