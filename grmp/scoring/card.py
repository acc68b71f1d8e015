"""The model card: what made a scoring checkpoint, and how well it did on labels that it had not seen."""

from collections.abc import Iterator

from pydantic import Field

from grmp.errors import one_line
from grmp.io.plain import compact
from grmp.runtime import Runtime
from grmp.settings import Method, Section

LINE = "{:<12}{}"


class Labels(Section):
    """What was learned from; `low` and `high` are the scores that became 0 and 1."""

    data: str
    images: int
    low: float
    high: float
    range_given: bool


class HeldOut(Section):
    """Agreement with labels that were not used in training, and what was trained to measure it.

    `rmse` is on the scale from 0 to 1. By the metrics' names, where they were measured: the ends of an interval, and
    the values of the scorer that had seen none of the labels. `curve` has the SRCC by the number of labels.
    """

    images: int
    srcc: float
    plcc: float
    rmse: float
    how: str
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    untuned: dict[str, float] = Field(default_factory=dict)
    curve: dict[int, float] = Field(default_factory=dict)

    def text(self) -> str:
        """All of it in one line."""
        told = ", ".join(self._metric(name, getattr(self, name)) for name in ("srcc", "plcc", "rmse"))
        before = ", ".join(f"{name.upper()} {value:.3f}" for name, value in self.untuned.items())
        return f"{told} on {self.images} labels; {self.how}" + (f"; untuned: {before}" if before else "")

    def _metric(self, name: str, value: float) -> str:
        ends = self.intervals.get(name)
        return f"{name.upper()} {value:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")


class Card(Section):
    """Everything that a reader of a score needs to know about its maker. Holds no date and no path of a machine."""

    version: str
    backbone: str
    labels: Labels
    held_out: HeldOut | None
    computed: str
    parameters: dict[str, dict]

    def text(self) -> str:
        """The card for readers, one fact per line; a checkpoint of anybody's can hold any letters."""
        return "\n".join(one_line(LINE.format(name, value)) for name, value in self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "grmp", f"{self.version}; quality from 0 to 1, higher is better"
        yield "backbone", self.backbone
        yield "data", self.labels.data
        origin = "as given" if self.labels.range_given else "the least and the greatest of the labels"
        low, high = self.labels.low, self.labels.high
        direction = "higher is better" if low < high else "higher is worse"
        yield "labels", f"{self.labels.images}; 0 is {low:g}, 1 is {high:g} ({origin}); in them, {direction}"
        yield "held out", self._agreement()
        yield "computed", self.computed
        for number, (name, values) in enumerate(self.parameters.items()):
            yield "" if number else "parameters", f"{name}: {compact(values)}"

    def _agreement(self) -> str:
        if self.held_out is None:
            return "nothing (it takes ten labels and a probe), so its agreement with new labels is unknown"
        return self.held_out.text()


def parameters(settings: Method) -> dict[str, dict]:
    """The sections of params.yaml on which a scoring checkpoint depends, as plain values."""
    names = {"compute", "distort", "prompts", "image", "pretrain", "finetune", "qgr"}
    return {name: values for name, values in settings.model_dump(mode="json").items() if name in names}


def computed_on(runtime: Runtime) -> str:
    """Device and precision in words."""
    return f"{runtime.device.type}, {runtime.precision}"
