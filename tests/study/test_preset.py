"""Presets: what they may set, and that the brackets in params files hold what `published` sets."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from grmp.errors import UserError
from study.docs.params_page import parameters_page, read_comments
from study.params import load
from study.preset import load_preset, main, parse_changes

ROOT = Path(__file__).parents[2]
BASE, PRESET = ROOT / "human/params.yaml", ROOT / "human/published.yaml"
METHOD = ("prompts", "image", "pretrain", "finetune", "qgr")
SET = {
    (section, key): value
    for section, keys in YAML(typ="safe").load(PRESET.read_text(encoding="utf-8")).items()
    if section in METHOD
    for key, value in keys.items()
}


def shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"[{shown(each)}]" if isinstance(each, list) else shown(each) for each in value)
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("path", [ROOT / "params.yaml", BASE], ids=["repository", "human"])
def test_brackets_hold_what_the_preset_sets_and_nothing_else(path: Path) -> None:
    comments = read_comments(path.read_text(encoding="utf-8"))
    brackets = {
        place: found[1]
        for place, text in comments.items()
        if (found := re.search(r" \[((?:[^\[\]]|\[[^\[\]]*\])*)\]$", text))
    }
    assert brackets == {place: shown(value) for place, value in SET.items()}


def test_the_page_has_them_in_a_column() -> None:
    page = parameters_page(ROOT / "params.yaml", BASE)
    assert "adaptation steps per task; sequential takes one on every batch | 1 |" in page


def test_the_preset_says_every_key_of_the_recipe_but_those_of_what_is_ours() -> None:
    ours = {"pretrain": {"draw"}, "finetune": {"probe_blocks", "probe_share", "probe_prior", "standardise"}}
    settings = load(BASE)
    for section in METHOD:
        named = {key for place, key in SET if place == section}
        assert named == set(type(getattr(settings, section)).model_fields) - ours.get(section, set())


def test_keys_without_an_entry_keep_their_value_and_choices_are_gone() -> None:
    base, settings = load(BASE), load_preset(BASE, PRESET)
    assert (settings.align, settings.distort, settings.compute) == (base.align, base.distort, base.compute)
    assert base.choices
    assert settings.choices == {}


def test_changes_come_after_the_preset() -> None:
    settings = load_preset(BASE, PRESET, parse_changes(["grid.repeats=3", "finetune.crops=fixed", "image.crop=160"]))
    assert (settings.grid.repeats, settings.finetune.crops, settings.image.crop) == (3, "fixed", 160)
    assert settings.finetune.optimiser == "sgd"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("finetune.colour=1", r"published\.yaml: finetune\.colour: unknown key"),
        ("fine.steps=1", r"published\.yaml: fine\.steps: .* no section `fine`"),
        ("finetune=1", "no key is named"),
        ("finetune.steps=0", r"finetune\.steps: .*greater than or equal to 1"),
        ("image.views=[[256, 2], [native, 1]]", r"finetune\.crops: batch .* image\.views: \[\[native, 1\]\]"),
        ("image.crop=256", r"image\.crop .* finetune\.side"),
        ("finetune.optimiser=adamw", "protocol published lowers the rate of optimiser sgd"),
        ("finetune.steps", r"write section\.key=value"),
    ],
)
def test_a_change_that_cannot_be_is_told(change: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_preset(BASE, PRESET, parse_changes([change]))


@pytest.mark.parametrize("name", ["biq2021", "protocol", "published"])
def test_a_preset_is_written_into_the_params_file_and_nothing_else_changes(name: str, tmp_path: Path) -> None:
    preset, written = ROOT / f"human/{name}.yaml", tmp_path / "params.yaml"
    written.write_bytes(BASE.read_bytes())
    main(written, preset)
    assert load(written) == load_preset(BASE, preset)
    set_by = {line.split(":")[0].strip() for line in preset.read_text(encoding="utf-8").splitlines()}
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (BASE, written))
    touched = {line.split(":")[0].strip() for line in set(before) ^ set(after)}
    assert touched <= set_by | {"choices"} | set(load(BASE).choices)
