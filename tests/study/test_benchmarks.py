"""What benchmarks/ claims besides times: equal weights and predictions, rows that reach the tables."""

import copy
import runpy
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import CONFIG, ROOT

from benchmarks import __main__ as plan
from benchmarks import evaluate, finetune, measure, pretrain, reference, table, workload
from benchmarks.equality import agreement, difference
from benchmarks.generate import plain_loop, same_files
from benchmarks.workload import Sizes
from grmp.runtime import Runtime
from study.data import photos
from study.data.generate import single_recipes, write_images
from study.params import Params

SMALL = {"labels": 8, "batch": 5, "tokens": 3, "image": 48, "views": 2, "architecture": CONFIG}


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for the tables, and the tiny CLIP in the place of the large one."""
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr(workload, "vit_b_16", lambda: copy.deepcopy(CONFIG))
    monkeypatch.setattr(measure, "CEILING_SIDE", {"cpu": 16})
    monkeypatch.setattr(measure, "peak_memory", lambda work, *arguments: work(*arguments) or 0.5)
    return tmp_path


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_twenty_steps_of_both_programs_give_the_same(blocks: int, runtime: Runtime) -> None:
    found = agreement(Sizes(**SMALL, blocks=blocks, steps=20), 12, runtime, runtime)
    assert found.weights < 1e-4
    assert found.learned < 1e-3
    assert found.plain_srcc == pytest.approx(found.ours_srcc, abs=5e-4)


def test_both_programs_learn_something(runtime: Runtime) -> None:
    sizes = Sizes(**SMALL, blocks=2, steps=2)
    model = workload.as_reference(workload.make_model(sizes))
    start, images = copy.deepcopy(model), workload.pictures(8, sizes)
    finetune.plain_run(model, images, sizes, runtime)
    tuned = list(reference.trained(model, 2))
    assert difference(model, start, tuned) > 1e-4
    assert set(tuned) == set(workload.make_model(sizes).tuned_parameters(2))
    frozen = {name for name, _ in model.named_parameters()} - set(tuned)
    assert all(torch.equal(model.get_parameter(name), start.get_parameter(name)) for name in frozen)


def test_a_step_of_reptile_is_the_same(runtime: Runtime) -> None:
    sizes = Sizes(**SMALL)
    model = workload.make_model(sizes)
    plain, start = workload.as_reference(model), copy.deepcopy(model)
    tasks = pretrain.make_tasks(2, 3, 4, sizes)
    for _ in range(3):
        reference.pretrain_step(plain, tasks, pretrain.SETTINGS, runtime)
        pretrain.our_step(model, tasks, pretrain.SETTINGS, runtime)
    prompts = list(model.prompt_parameters())
    assert difference(plain, model, prompts) < 1e-6
    assert difference(plain, start, prompts) > 1e-6


def test_the_bias_of_the_keys_is_left_out_and_nothing_else() -> None:
    model = workload.make_model(Sizes(**SMALL))
    name, other = "clip.visual.transformer.resblocks.2.attn.in_proj_bias", copy.deepcopy(model)
    width = len(other.get_parameter(name)) // 3
    with torch.no_grad():
        model.get_parameter(name).fill_(1)
        other.get_parameter(name).fill_(1)[width : 2 * width] = 7
    assert difference(model, other, [name]) == 0
    with torch.no_grad():
        other.get_parameter(name)[-1] = 2
    assert difference(model, other, [name]) == pytest.approx((2 * width) ** -0.5)


def test_generated_files_have_the_same_bytes(photographs: Path, settings: Params, tmp_path: Path) -> None:
    recipes = single_recipes([photos.read_manifest(photographs)[0]], levels=1, seed=1)[:6]
    plain_loop(recipes, tmp_path / "plain", 48)
    distort = settings.distort.model_copy(update={"short_side": 48, "window": 1.0})
    write_images(recipes, tmp_path / "ours", distort, "test")
    assert same_files(tmp_path / "plain", tmp_path / "ours/images")
    (tmp_path / "plain" / recipes[0].name).write_bytes(b"")
    assert not same_files(tmp_path / "plain", tmp_path / "ours/images")


@pytest.mark.parametrize(
    ("module", "name", "options"),
    [
        (finetune, "finetune", {"batch": 3, "blocks": 2}),
        (evaluate, "evaluate", {"images": 5, "blocks": 2}),
        (pretrain, "pretrain", {"tasks": 2, "support": 2, "query": 3}),
    ],
)
def test_a_command_writes_its_row_once(
    module: object, name: str, options: dict[str, int], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**options, "image": 48, "tokens": 3, "threads": 1, "pairs": 2}
    line = [f"--{key}={value}" for key, value in given.items()]
    monkeypatch.setattr(sys, "argv", [module.__file__, *line])
    for _ in range(2):
        module.main(**given, device="cpu")
    rows = pd.read_csv(results / f"{name}.csv")
    assert rows["command"].tolist() == [shlex.join(["python", "-m", f"benchmarks.{name}", *line])]
    assert (rows[["ratio", "plain_s", "ours_s", "ours_images_per_s"]] > 0).all(axis=None)


def test_pairs_are_divided_pair_by_pair() -> None:
    pairs = measure.Pairs(plain=[2.0, 6.0, 4.0], ours=[1.0, 2.0, 4.0])
    row = pairs.row(items=8)
    assert pairs.ratios == [2.0, 3.0, 1.0]
    assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (1.5, 2.0, 2.5)
    assert (row["plain_images_per_s"], row["ours_images_per_s"]) == (2.0, 4.0)


def test_the_two_sides_take_turns() -> None:
    calls: list[str] = []
    measure.in_turn(lambda: calls.append("plain"), lambda: calls.append("ours"), 2)
    assert calls == ["plain", "ours", "ours", "plain"]


def test_operations_are_counted() -> None:
    assert measure.flops(lambda: torch.ones(2, 3) @ torch.ones(3, 5)) == 2 * 2 * 3 * 5


def test_a_row_takes_the_place_of_its_own_alone(results: Path) -> None:
    for device, command, ratio in (("a", "x", 1.0), ("b", "x", 2.0), ("a", "y", 3.0), ("a", "x", 4.0)):
        table.keep("finetune", command, {"device": device, "ratio": ratio})
    rows = pd.read_csv(results / "finetune.csv")
    assert sorted(zip(rows["command"], rows["device"], rows["ratio"])) == [
        ("x", "a", 4.0),
        ("x", "b", 2.0),
        ("y", "a", 3.0),
    ]
    table.forget({"y"})
    assert pd.read_csv(results / "finetune.csv")["command"].tolist() == ["y"]


def test_a_table_shows_the_named_columns(results: Path) -> None:
    table.keep("finetune", "python -m x", {"device": "a", "ratio": 5.12345, "batch": 16})
    text = "before\n<!-- table finetune: ratio, batch, note, command -->\nold\n<!-- end -->\nafter\n"
    shown = table.with_tables(text).splitlines()
    assert shown[2:5] == [
        "| ratio | batch | note | command |",
        "| --- | --- | --- | --- |",
        "| 5.12 | 16 | - | `python -m x` |",
    ]
    assert (shown[0], shown[-1]) == ("before", "after")
    assert table.with_tables(table.with_tables(text)) == table.with_tables(text)


def test_the_readmes_tables_are_what_the_files_give() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert table.with_tables(text) == text, "run `python -m benchmarks --only nothing`"
    assert {path.stem for path in table.RESULTS.glob("*.csv")} <= {found[1] for found in table.MARKED.findall(text)}


@pytest.mark.parametrize("command", sorted({line.split()[0] for line in plan.EVERYWHERE + plan.GPU_ALONE}))
def test_every_command_of_the_plan_explains_itself(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    monkeypatch.delitem(sys.modules, command, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(command, run_name="__main__")
    assert not ended.value.code
    assert "Measure" in capsys.readouterr().out


def test_the_plain_program_shares_no_fast_code() -> None:
    text = (ROOT / "benchmarks/reference.py").read_text(encoding="utf-8")
    fast = ("towers", "features", "finetune", "model", "meta", "pretrain", "projection")
    assert not [name for name in fast if f"from grmp.{name} " in text or f"import {name}\n" in text]
