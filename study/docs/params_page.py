"""docs/parameters.md, written from params.yaml, its comments, and the checks of `grmp.settings`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from grmp.settings import read_yaml
from study.params import Params
from study.reports.markdown import copy_table

_HEAD = """# Parameters

Every setting that the stages take stands in `params.yaml`, one section per stage of the pipeline. A key that is not in
these tables, a value of another kind or out of its range is an error that names the file and the key;
`python -m study.check` checks the file. The column *published* has what the preset `human/published.yaml` sets, the
published recipe as far as it is known (arXiv 2409.05381 and its code), and is empty where the key is ours.

To change a value, edit `params.yaml` and run `dvc repro`: only what depends on it runs again. To try one without
editing: `dvc exp run -S SECTION.KEY=VALUE` (see [tweak.md](tweak.md)). This page is written by `make docs` from
`params.yaml`, `grmp/settings.py` and `study/params.py`; what only human scores need is from `human/params.yaml`."""
_SECTION = re.compile(r"(\w+):\s*(?:#\s*(.*))?$")
_KEY = re.compile(r"  (\w+):[^#]*(?:#\s*(.*))?$")
_MORE = re.compile(r" {3,}#\s*(.*)$")
_PUBLISHED = re.compile(r"\s*\[((?:[^\[\]]|\[[^\[\]]*\])*)\]$")
_WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}

Comments = dict[tuple[str, str], str]


def parameters_page(path: Path = Path("params.yaml"), rated: Path = Path("human/params.yaml")) -> str:
    """The page as Markdown, a table per section: key, kind and range, default, meaning, what preset `published` sets.

    Sections that `path` has not, as only studies of human-rated sets have them, come from `rated`.

    Raises:
        UserError: the file cannot be read.
    """
    values = read_yaml(rated) | read_yaml(path)
    comments = read_comments(rated.read_text(encoding="utf-8")) | read_comments(path.read_text(encoding="utf-8"))
    root = Params.model_json_schema()
    sections = root["$defs"]
    parts = [_HEAD]
    for name in Params.model_fields:
        if name == "choices":  # its keys are the user's own
            continue
        schema = sections[_kind(root["properties"][name])]
        rows = [_row(key, entry, values[name][key], comments[name, key]) for key, entry in schema["properties"].items()]
        about = " ".join(part for part in (schema["description"], _sentence(comments[name, ""])) if part)
        parts += [f"## {name}", about, copy_table(pd.DataFrame(rows))]
    return "\n\n".join(parts) + "\n"


def _kind(entry: dict) -> str:
    """The name of a section's class; of one that may be missing, that of what may stand there."""
    reference = entry["$ref"] if "$ref" in entry else entry["anyOf"][0]["$ref"]
    return reference.rsplit("/", 1)[-1]


def _row(key: str, schema: dict, value: object, comment: str) -> dict[str, str]:
    published = _PUBLISHED.search(comment)
    return {
        "key": f"`{key}`",
        "kind and range": describe(schema),
        "default": f"`{json.dumps(value) if not isinstance(value, str) else value}`",
        "meaning": _PUBLISHED.sub("", comment),
        "published": published[1] if published else "",
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def read_comments(text: str) -> Comments:
    """The comment beside every (section, key) of a params file; key "" is the section's own line."""
    comments: Comments = {}
    place = ("", "")
    for line in text.splitlines():
        if found := _SECTION.match(line):
            place = (found[1], "")
            comments[place] = found[2] or ""
        elif found := _KEY.match(line):
            place = (place[0], found[1])
            comments[place] = found[2] or ""
        elif (found := _MORE.match(line)) and place in comments:
            comments[place] += f" {found[1]}"
    return comments


def describe(schema: dict) -> str:
    """A JSON schema in words, such as `integer, at least 1`."""
    if "description" in schema:
        return schema["description"]
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(describe(choice) for choice in schema["anyOf"])
    if "prefixItems" in schema:
        return "; ".join(f"{place}: {describe(item)}" for place, item in enumerate(schema["prefixItems"], 1))
    if schema["type"] == "array":
        return f"list of {describe(schema['items'])}"
    return ", ".join([_WORDS[schema["type"]], *_bounds(schema)])


def _bounds(schema: dict) -> Iterator[str]:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
        "multipleOf": "a multiple of",
    }
    return (f"{words[key]} {schema[key]:g}" for key in words if key in schema)
