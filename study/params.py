"""A typed view of params.yaml: unknown keys and wrong types are errors that name the key."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from grmp.errors import UserError
from grmp.settings import Align, Backbone, Count, Fraction, Method, Pixels, Section, check, read_yaml


def _labels(value: object) -> int | float:
    count = isinstance(value, int) and not isinstance(value, bool) and value >= 2
    if not (count or (isinstance(value, float) and 0 < value < 1)):
        raise ValueError("write a count of images from 2 up, such as 50, or a fraction between 0 and 1, such as 0.2")
    return value


LABELS = "count of images from 2 up, or share of the pool between 0 and 1"
Labels = Annotated[int | float, BeforeValidator(_labels), Field(description=LABELS)]


class Photos(Section):
    """The photographs and their three disjoint parts."""

    folder: str
    pretrain: Fraction
    train: Fraction

    @model_validator(mode="after")
    def _leave_photographs_for_the_test(self) -> "Photos":
        if self.pretrain + self.train >= 1:
            raise ValueError("pretrain + train must stay under 1, so that photographs are left for the test part")
        return self


class Distort(Section):
    """The generated sets."""

    short_side: Pixels
    window: Annotated[float, Field(gt=0, le=1, strict=True)]
    levels_per_task: Annotated[int, Field(ge=1, le=5, strict=True)]
    mixture: tuple[Count, Annotated[int, Field(ge=1, le=25, strict=True)]]
    train_images: Count
    test_images: Count

    @field_validator("mixture")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError("write the fewest first, then the most, such as [2, 3]")
        return value


class Grid(Section):
    """The ablation: variants x labels x repeats."""

    variants: Annotated[tuple[str, ...], Field(min_length=1)]
    labels: Annotated[tuple[Labels, ...], Field(min_length=1)]
    repeats: Count


class Sweep(Section):
    """The sweep of QGR's strength at one number of labels."""

    strengths: tuple[Annotated[int | float, Field(ge=0)], ...]
    labels: Labels


class Target(Section):
    """A human-rated set in the place of the generated target."""

    title: str
    report: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    name: str
    folder: str
    scale: tuple[float, float] | None
    splits: str
    development: Annotated[int, Field(ge=0, strict=True)]
    held_back: Annotated[int, Field(ge=0, strict=True)]
    fit: Literal["crops", "squash"]

    @model_validator(mode="after")
    def _files_deal_every_image(self) -> "Target":
        if self.held_back and self.splits != "random":
            raise ValueError("held_back: a splits folder deals every image; write splits: random, or held_back: 0")
        return self


Change = Annotated[dict[str, Any], Field(min_length=1)]
"""Other values of some keys, by their dotted names such as `pretrain.algorithm`; `variant` is the one that is run."""


class Replication(Section):
    """Cells that run again after other draws of the pre-training."""

    draws: Annotated[tuple[Count, ...], Field(min_length=1)]
    labels: Annotated[tuple[Labels, ...], Field(min_length=1)]
    variants: Annotated[tuple[str, ...], Field(min_length=1)]


CHANGEABLE = ("distort", "align", "image", "prompts", "pretrain", "finetune", "qgr", "target")
"""Sections that a choice may change; what the stages before the first of them make is shared by all choices."""


class Params(Method):
    """params.yaml as a whole; `target`, `choices` and `replication` stand only in studies of human-rated sets."""

    photos: Photos
    distort: Distort
    backbone: Backbone
    align: Align
    grid: Grid
    sweep: Sweep
    target: Target | None = None
    replication: Replication | None = None
    choices: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Change] = Field(default_factory=dict)

    def changed(self, change: dict[str, Any]) -> tuple["Params", str]:
        """These settings with the keys of `change` at their new values, and the name of the variant (else `full`).

        Raises:
            ValueError: a key that is not in one of `CHANGEABLE`, or a value that it cannot have.
        """
        tree, values = self.model_dump(mode="json", exclude={"choices"}), dict(change)
        variant = values.pop("variant", "full")
        for dotted, value in values.items():
            section, _, key = dotted.partition(".")
            known = {"fit"} if section == "target" else tree[section] or {}
            if section not in CHANGEABLE or key not in known:
                raise ValueError(f"{dotted} is no key of {', '.join(CHANGEABLE)} (of target: fit alone), nor `variant`")
            tree[section][key] = value
        return Params.model_validate(tree), variant

    @model_validator(mode="after")
    def _sweep_is_on_the_grid(self) -> "Params":
        if self.sweep.labels not in self.grid.labels or not {"full", "without_qgr"} <= set(self.grid.variants):
            raise ValueError(
                f"sweep.labels: {self.sweep.labels} must be among grid.labels, and full and without_qgr among "
                "grid.variants: the sweep takes its ends from those cells"
            )
        return self

    @model_validator(mode="after")
    def _target_stays_unseen(self) -> "Params":
        if self.pretrain.mixtures and self.target is None:
            raise ValueError(
                "pretrain.mixtures: the mixtures are the generated target, whose test part pre-training must not see; "
                "write false, or name a human-rated set in the section target"
            )
        return self

    @model_validator(mode="after")
    def _fresh_crops_are_of_one_square(self) -> "Params":
        if self.finetune.crops == "batch" and self.image.views != (("native", 1),):
            raise ValueError("finetune.crops: batch has one crop of an image; write image.views: [[native, 1]]")
        if self.finetune.crops == "batch" and self.image.crop > self.finetune.side:
            raise ValueError("image.crop must not be larger than finetune.side, the squares of which crops are cut")
        return self

    @model_validator(mode="after")
    def _choices_hold(self) -> "Params":
        for name, change in self.choices.items():
            try:
                self.changed(change)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise ValueError(f"choices.{name}: {where}: {first['msg']}") from None
            except ValueError as error:
                raise ValueError(f"choices.{name}: {error}") from None
        return self

    @model_validator(mode="after")
    def _enough_labels(self) -> "Params":
        if len(set(self.grid.labels)) < len(self.grid.labels):
            raise ValueError(f"grid.labels: {list(self.grid.labels)} has an entry twice; its runs would count twice")
        if self.target is not None:  # how many images its pool has is known once it was read
            return self
        for key, labels in [*(("grid", value) for value in self.grid.labels), ("sweep", self.sweep.labels)]:
            try:
                label_count(labels, self.distort.train_images)
            except UserError as error:
                raise ValueError(f"{key}.labels: {error} (distort.train_images)") from None
        counts = [label_count(labels, self.distort.train_images) for labels in self.grid.labels]
        if len(set(counts)) < len(counts):
            raise ValueError(f"grid.labels: two entries mean the same number of images ({counts})")
        return self


def label_count(labels: int | float, pool: int) -> int:
    """Images that `labels` stands for: itself if a count, its share of the `pool` if a fraction.

    Raises:
        UserError: fewer than 2 images, or more than the pool holds.
    """
    count = labels if isinstance(labels, int) else round(labels * pool)
    if not 2 <= count <= pool:
        raise UserError(f"labels {labels} means {count} images; between 2 and the pool's {pool} are possible")
    return count


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: as `read_yaml` and `check`.
    """
    return check(Params, read_yaml(Path(path)), Path(path))


def sections(**given: dict[str, Any]) -> list[dict[str, Any]]:
    """A notebook's sections as the pipeline gave them.

    Where it is run by hand they are empty: then those of the nearest params.yaml, whose folder becomes the current one,
    as in the pipeline.

    Raises:
        UserError: no params.yaml in this folder or above, or a section that it does not have.
    """
    if any(given.values()):
        return list(given.values())
    root = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "params.yaml").is_file()), None)
    if root is None:
        raise UserError("no params.yaml here or above: run the notebook inside of the study's folder")
    os.chdir(root)
    tree = load().model_dump(mode="json")
    for name in given:
        if tree.get(name) is None:
            raise UserError(
                f"{root.name}/params.yaml has no section {name}: run this notebook by `dvc repro` in human/"
            )
    return [tree[name] for name in given]
