"""The settings of the method, as sections of params.yaml: unknown keys and wrong types are errors that name the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grmp.errors import UserError
from grmp.io.plain import parse

Count = Annotated[int, Field(ge=1, strict=True)]
Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]
Rate = Annotated[float, Field(gt=0, strict=True)]
Pixels = Annotated[int, Field(ge=32, le=4096, strict=True)]
Crops = Annotated[int, Field(ge=1, le=1024, strict=True)]  # a checkpoint of anybody's cannot ask for more
When = Literal["aligned", "conflict", "always", "never"]
Scope = Literal["tensor", "global"]


class Section(BaseModel):
    """A section of params.yaml: nothing unknown, nothing changed after reading, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Compute(Section):
    """Where and how numbers are computed."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    threads: Count
    seed: Annotated[int, Field(ge=0, strict=True)]
    # On which machines changes no number. So these two stay out of what stages, reports and cards are given of the
    # section (`model_dump`): equal results keep equal bytes, and no report names a machine.
    engine: Literal["local", "ray"] = Field("local", exclude=True)
    address: str | None = Field(None, exclude=True)

    @model_validator(mode="after")
    def _address_is_the_clusters(self) -> "Compute":
        if self.address is not None and self.engine != "ray":
            raise ValueError("address is that of a Ray cluster; write engine: ray, or address: null")
        return self


class Backbone(Section):
    """Which CLIP."""

    source: Literal["embedded", "openai", "local"]
    name: str
    weights: str | None

    @model_validator(mode="after")
    def _local_has_weights(self) -> "Backbone":
        if (self.source == "local") != (self.weights is not None):
            raise ValueError("weights is the path of a checkpoint with source: local, and null with any other source")
        return self


class Align(Section):
    """The text tower that is aligned to the locked image tower."""

    width: Count
    layers: Count
    heads: Count
    context_length: Annotated[int, Field(ge=8, strict=True)]
    crops: Count
    steps: Count
    learning_rate: Rate

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "Align":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be shared by {self.heads} heads; write a multiple of heads")
        return self


class Prompts(Section):
    """The learned prompts of both towers."""

    context: Count
    image_tokens: Annotated[int, Field(ge=0, strict=True)]
    depth: Count
    dropout: Annotated[float, Field(ge=0, lt=1, strict=True)]
    projection: bool
    start: Literal["normal", "published"] = "normal"
    pixels: Literal["clip", "imagenet"] = "clip"
    underscore: bool = False


class Input(Section):
    """What the image tower sees of an image, as `grmp.crops.cut_views` cuts it."""

    views: Annotated[tuple[tuple[Pixels | Literal["native"], Crops], ...], Field(min_length=1, max_length=16)]
    crop: Annotated[Pixels, Field(multiple_of=16)]

    @model_validator(mode="after")
    def _crops_fit(self) -> "Input":
        scales = [scale for scale, _ in self.views]
        if any(scale != "native" and scale < self.crop for scale in scales):
            raise ValueError("crop must not be larger than a scale of views: crops are cut from images of that size")
        if len(set(scales)) < len(scales):
            raise ValueError("views names a scale twice; write its crops as one number")
        return self


class Pretrain(Section):
    """Meta-prompt pre-training (MPP)."""

    source: str | tuple[str, ...]
    algorithm: Literal["reptile", "fomaml", "maml", "joint", "sequential"]
    outer_steps: Count
    tasks: Annotated[int, Field(ge=1, le=25, strict=True)]
    support: Count
    query: Count
    inner_steps: Count
    inner_optimiser: Literal["sgd", "adam"]
    lasting: tuple[str, ...] = ()
    inner_rate: Rate
    outer_rate: Rate
    query_share: Fraction
    split: Literal["photographs", "images"] = "photographs"
    labels: Literal["fixed", "stretched"] = "fixed"
    fit: Literal["crops", "squash"] = "crops"
    side: Pixels = 256
    mixtures: bool
    patches: Annotated[float, Field(gt=0, le=1, strict=True)]
    draw: Count


class Finetune(Section):
    """Adaptation to a few labels."""

    blocks: Count
    crops: Literal["fixed", "batch"] = "fixed"
    side: Pixels = 244
    labels: Literal["fixed", "stretched"] = "fixed"
    dropout: bool = False
    steps: Count
    batch: Count
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Rate
    text_learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0, strict=True)]
    evaluations: Count
    protocol: Literal["fixed", "published"] = "fixed"
    probe_blocks: Annotated[tuple[Count, ...], Field(min_length=1)]
    probe_share: Annotated[float, Field(ge=0, le=1, strict=True)]
    probe_prior: Annotated[float, Field(ge=0, le=1e6, strict=True)]
    standardise: bool

    @model_validator(mode="after")
    def _plateau_sets_the_rate(self) -> "Finetune":
        if self.protocol == "published" and self.optimiser != "sgd":
            raise ValueError("protocol published lowers the rate of optimiser sgd; adamw's follows one cycle")
        return self


class Qgr(Section):
    """Quality-aware gradient regularisation."""

    when: When
    strength: Annotated[float, Field(ge=0, strict=True)]
    scope: Scope
    control: Literal["none", "random_direction", "length"] = "none"


class Method(Section):
    """All that the method reads of params.yaml; what else stands there is the study's."""

    compute: Compute
    prompts: Prompts
    image: Input
    pretrain: Pretrain
    finetune: Finetune
    qgr: Qgr


Settings = TypeVar("Settings", bound=Section)


def _complain(path: Path, error: ValidationError) -> UserError:
    # An unknown key first: it is often a misspelling, and then the reason why another key is missing.
    first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
    key = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
    message = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict | Section) else f" (given: {repr(first['input'])[:200]})"
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return UserError(f"{path}: {key}{message}{given}{more}")


def read_yaml(path: Path) -> dict:
    """The mapping in a YAML 1.2 file, in which `1e-4` is a number (it is text to YAML 1.1 readers).

    Raises:
        UserError: no such file, not YAML, not plain (`grmp.io.plain.parse`), or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    try:
        content = parse(text)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no sections; write `section:` lines with `key: value` lines below them")
    return content


def check(kind: type[Settings], content: Mapping[str, Any], path: Path) -> Settings:
    """The typed view of a params file's `content`, as `kind` has it.

    Raises:
        UserError: with the file, the key and what is wrong, in one line.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise _complain(path, error) from None


def load_method(path: Path = Path("params.yaml")) -> Method:
    """Read and check the sections of params.yaml that the method reads.

    Raises:
        UserError: as `read_yaml` and `check`.
    """
    content = read_yaml(path)
    return check(Method, {name: content[name] for name in Method.model_fields if name in content}, path)
