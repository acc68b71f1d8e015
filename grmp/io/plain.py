"""A safe subset of YAML: no aliases, no tags that make objects, bounded nesting."""

import io
import math
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
LONGEST = 100_000
"""Characters of a text; the study's own has five thousand."""
DEEPEST = 20
"""Collections inside of one another."""


def parse(text: str) -> Plain:
    """The value of a YAML 1.2 text, in which `1e-4` is a number (it is text to YAML 1.1 readers).

    Aliases are refused, as a few lines of them can stand for thousands of millions of values.

    Raises:
        ValueError: no YAML, or not plain; with what is wrong in words.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST:,} characters")
    try:
        _refuse_bombs(YAML(typ="safe", pure=True).parse(text))
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"is not YAML: {' '.join(str(error).split())}") from None
    except _Refused as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # ruamel's constructors raise what int, float, datetime and base64 raise
        raise ValueError(f"is not YAML: {type(error).__name__}: {error}") from None
    refuse_objects(value)
    return value


class _Refused(Exception):
    """YAML, but not of the kind that is read."""


def _refuse_bombs(events: Iterator[Event]) -> None:
    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent):
            raise _Refused(f"holds the alias *{event.anchor}; write the value again in its place")
        if depth > DEEPEST:
            raise _Refused(f"is nested more than {DEEPEST} deep")


def refuse_objects(value: object) -> None:
    """Check that a value is made of text, numbers, true, false, null, lists and mappings alone.

    papermill writes anything else into the notebook's code as it prints, quotes and all.

    Raises:
        ValueError: it is not, or has a whole number beyond 64 bits.
    """
    if isinstance(value, dict):
        for key, entry in value.items():
            if type(key) is not str:
                raise ValueError(f"has the key {key!r:.80}, which is no text; write it in quotes")
            refuse_objects(entry)
    elif isinstance(value, list):
        for entry in value:
            refuse_objects(entry)
    elif type(value) is int:
        if abs(value) >= 2**63:
            raise ValueError(f"has a whole number of {round(math.log10(abs(value)))} digits")
    elif value is not None and type(value) not in (str, float, bool):
        raise ValueError(f"has a value of the kind {type(value).__name__}; text goes into quotes")


def compact(values: dict) -> str:
    """One line of YAML without the outer braces, such as `steps: 25, labels: [10, 50, 0.2]`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.sort_base_mapping_type_on_output, yaml.width = False, 100_000  # type: ignore[assignment] # declared as None
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue().strip()[1:-1]
