"""The playground notebook's cells: controls, and what they show."""

import os
from pathlib import Path

import ipywidgets as widgets
from IPython.display import Markdown, display

from grmp.errors import UserError
from grmp.io.decode import read_image
from study.data.distortions import DISTORTIONS, LEVELS
from study.data.photos import SCENES
from study.playground import plane
from study.playground.explore import Choice, Explorer
from study.playground.explore_figures import compare_figure, look_figure
from study.playground.explore_study import read_explorer
from study.playground.live_output import Shown, follow
from study.playground.view import View
from study.reports.photo_figures import as_jpeg
from study.reports.style import set_style

NEIGHBOURS = 6
_LOOK = {"style": {"description_width": "80px"}, "layout": {"width": "380px"}}


def open_study() -> Explorer | None:
    """Read what the study left; say in one line what there is, or what is missing and how to get it (then None)."""
    set_style()
    try:
        os.chdir(_root())  # a notebook starts in its own folder
        explorer = read_explorer()
    except UserError as error:
        display(Markdown(f"**The study is not there yet:** {error}. The last section works all the same."))
        return None
    models = ", ".join(f"*{name}*" for name in explorer.models)
    counts = f"{len(explorer.photographs)} photographs, {len(explorer.labelled.manifest)} labelled images"
    display(Markdown(f"{counts}; models: {models}."))
    return explorer


def _root() -> Path:
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise UserError("params.yaml: not found; open this notebook inside the repository")


class ImageControls:
    """Photograph or own image, distortion and level."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.photograph = _dropdown("image", list(explorer.photographs))
        self.upload = widgets.FileUpload(accept="image/*", description="own image", layout={"flex": "none"})
        self.kind = _dropdown("distortion", [(f"{kind.number}. {kind.title}", kind.number) for kind in DISTORTIONS])
        self.level = widgets.IntSlider(3, 0, LEVELS[-1], description="level", **_LOOK)
        self.complaint = widgets.Label()
        self.upload.observe(self._take, names="value")

    @property
    def inputs(self) -> list[widgets.Widget]:
        """What changes the image."""
        return [self.photograph, self.kind, self.level]

    @property
    def rows(self) -> list[widgets.Widget]:
        """All controls, in two rows."""
        return [
            widgets.HBox([self.photograph, self.upload, self.complaint]),
            widgets.HBox([self.kind, self.level]),
        ]

    @property
    def choice(self) -> Choice:
        """What is chosen now."""
        return Choice(self.photograph.value, self.kind.value, self.level.value)

    def _take(self, change: dict) -> None:
        for file in change["new"]:
            try:
                name = self.explorer.add(file["name"], bytes(file["content"]))
            except UserError as error:
                self.complaint.value = str(error)
                return
            self.complaint.value = ""
            self.photograph.options = list(self.explorer.photographs)
            self.photograph.value = name


def show_scores(explorer: Explorer | None) -> None:
    """Choose and distort an image; see its quality, its scenes, where the image tower attends, its neighbours."""
    if explorer is None:
        return
    controls, model = ImageControls(explorer), _dropdown("model", list(explorer.models))

    def show() -> Shown:
        return _scores(explorer, model.value, controls.choice)

    follow(widgets.VBox([*controls.rows, model]), [*controls.inputs, model], show)


def _scores(explorer: Explorer, model: str, choice: Choice) -> Shown:
    seen = explorer.view(model, choice)
    before, label = explorer.view(model, choice.at(0)).quality, explorer.label(choice)
    nearest = explorer.nearest(choice, NEIGHBOURS)
    neighbours = [
        (read_image(explorer.labelled.folder / row.image), f"label {row.score:.2f}\ncosine {row.cosine:.2f}")
        for row in nearest.itertuples()
    ]
    scale = {"quality": seen.quality, "untouched": before, "label": label}
    figure = look_figure(explorer.shown(choice), seen, scale, neighbours)
    words = (
        f"Quality **{seen.quality:.2f}** (untouched {before:.2f}); the study would label this image {label:.2f}. "
        f"Scene: {_scene(seen)}."
    )
    return words, as_jpeg(figure)


def _scene(seen: View) -> str:
    place = int(seen.scenes.argmax())
    return f"**{SCENES[place].replace('_', ' ')}** ({seen.scenes[place]:.0%})"


def compare_models(explorer: Explorer | None) -> None:
    """Choose two models; see how they differ over one image, and over all levels of its distortion."""
    if explorer is None:
        return
    controls, names = ImageControls(explorer), list(explorer.models)
    models = _dropdown("model A", names, chosen=1), _dropdown("model B", names, chosen=0)

    def show() -> Shown:
        return _comparison(explorer, [model.value for model in models], controls.choice)

    follow(widgets.VBox([*controls.rows, widgets.HBox(models)]), [*controls.inputs, *models], show)


def _comparison(explorer: Explorer, models: list[str], choice: Choice) -> Shown:
    named = {f"{letter}: {model}": model for letter, model in zip("AB", models)}
    seen = {name: explorer.view(model, choice) for name, model in named.items()}
    by_level = {name: explorer.qualities(model, choice) for name, model in named.items()}
    by_level["label"] = explorer.labels(choice)
    figure = compare_figure(explorer.shown(choice), seen, by_level, choice.level)
    words = "; ".join(f"{name}: quality **{one.quality:.2f}**, scene {_scene(one)}" for name, one in seen.items())
    return f"{words}.", as_jpeg(figure)


def show_projection() -> None:
    """Turn the quality gradient and move lambda; see what the projection of QGR leaves of it."""
    angle = widgets.IntSlider(50, 0, 180, 5, description="angle °", **_LOOK)
    strength = widgets.FloatSlider(1, min=0, max=plane.LARGEST, step=0.1, description="λ", **_LOOK)
    when = _dropdown("when", list(plane.ACTS))

    def show() -> Shown:
        found = plane.gradients(angle.value, strength.value, when.value)
        return plane.in_words(found, strength.value, when.value), plane.draw(found)

    follow(widgets.VBox([widgets.HBox([angle, strength]), when]), [angle, strength, when], show)


def _dropdown(name: str, options: list, chosen: int = 0) -> widgets.Dropdown:
    return widgets.Dropdown(options=options, index=chosen, description=name, **_LOOK)
