"""A preset: a file with other values for some keys of params.yaml, such as `human/published.yaml`.

`python -m study.preset params.yaml biq2021.yaml` writes its values into params.yaml, where the comments stay.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.plain import parse
from grmp.settings import check, read_yaml
from study.command import run_command
from study.params import Params


def load_preset(base: Path, preset: Path, changes: Mapping[str, Any] | None = None) -> Params:
    """The settings of `base` with the keys of `preset`, and then those of `changes`, at their new values.

    Choices are the preset's alone.

    Args:
        base: a params.yaml.
        preset: sections with some of their keys.
        changes: values by dotted keys such as `grid.repeats`.

    Raises:
        UserError: a file cannot be read, an unknown section or key, or a value that it cannot have.
    """
    tree = read_yaml(base) | {"choices": {}}
    dotted = {f"{section}.{key}": value for section, keys in _sections(preset) for key, value in keys.items()}
    for name, value in (dotted | dict(changes or {})).items():
        section, _, key = name.partition(".")
        if section not in tree or not key:
            raise UserError(f"{preset}: {name}: {base} has no section `{section}`, or no key is named")
        tree[section] = tree[section] | {key: value}
    return check(Params, tree, preset)


def _sections(preset: Path) -> list[tuple[str, dict]]:
    found = list(read_yaml(preset).items())
    for section, keys in found:
        if not isinstance(keys, dict):
            raise UserError(f"{preset}: {section}: is no section; write `key: value` lines below it")
    return found


def parse_changes(given: list[str]) -> dict[str, Any]:
    """`section.key=value` as on a command line, values in YAML.

    Raises:
        UserError: no `=`, or no YAML behind it.
    """
    changes = {}
    for text in given:
        name, found, value = text.partition("=")
        if not found:
            raise UserError(f"--set {text}: write section.key=value")
        try:
            changes[name] = parse(value)
        except ValueError as error:
            raise UserError(f"--set {text}: {error}") from None
    return changes


def main(
    base: Annotated[Path, typer.Argument(help="the params.yaml that is changed")],
    preset: Annotated[Path, typer.Argument(help="sections with some of their keys; its choices replace all others")],
) -> None:
    """Write the values of PRESET into BASE, whose comments stay."""
    load_preset(base, preset)
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 1000, True
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    tree = yaml.load(base)
    tree["choices"] = {}
    for section, keys in yaml.load(preset).items():
        tree[section].update(keys)
    text = StringIO()
    yaml.dump(tree, text)
    write_whole(base, text.getvalue())


if __name__ == "__main__":
    run_command(main)
