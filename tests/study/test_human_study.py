"""The study of a human-rated set through real DVC and papermill, on a made-up set in the layout of `csv`."""

import json
from pathlib import Path

import pandas as pd
import pytest
from rated_set import make_rated_set
from tiny_clone import TINY, edit, make_clone, run

CHOICES = {
    "anew": {"distort.window": 1.0},
    "earlier_probe": {"variant": "full_probe", "finetune.probe_blocks": [1]},
    "squashed": {"variant": "ridge", "target.fit": "squash"},
}


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = tmp_path_factory.mktemp("rated") / "clone"
    make_clone(clone)
    folder = clone / "human"
    make_rated_set(clone.parent / "livec")
    (folder / "data").symlink_to(clone.parent / "livec")
    edit(folder, {**TINY, "backbone": {**TINY["backbone"], "weights": "../tiny.safetensors"}})
    edit(folder, {"grid": {"variants": ["full", "without_qgr", "ridge", "full_probe"]}, "choices": CHOICES})
    edit(folder, {"replication": {"draws": [1, 2], "labels": [4], "variants": ["full", "without_qgr", "full_probe"]}})
    # Of the four photographs two make single distortions: with three held out, one of those is on either side.
    edit(folder, {"distort": {"levels_per_task": 1, "train_images": 4, "test_images": 4}})
    edit(folder, {"pretrain": {"query_share": 0.75}})
    done = run(folder, "dvc", "repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_the_report_has_every_split_of_every_variant(studied: Path) -> None:
    reports = studied.parent / "reports/livec"
    runs = pd.read_csv(reports / "runs.csv")
    assert set(runs["variant"]) == {"full", "without_qgr", "ridge", "full_probe"}
    assert all(rows["repeat"].tolist() == [1, 2] for _, rows in runs.groupby("variant"))
    tree = json.loads((reports / "metrics.json").read_text(encoding="utf-8"))
    assert tree["full"]["4"]["srcc"] == pytest.approx(runs[runs["variant"] == "full"]["srcc"].median(), abs=1e-4)
    assert "Provenance" in (reports / "report.html").read_text(encoding="utf-8")


def test_cells_ran_again_after_another_pretraining_and_their_effects_stand_in_the_report(studied: Path) -> None:
    reports = studied.parent / "reports/livec"
    again, grid = pd.read_csv(reports / "replication.csv"), pd.read_csv(reports / "runs.csv")
    assert set(again["draw"]) == {1, 2}
    rows = again.set_index(["draw", "variant", "repeat"])["srcc"]
    own = grid.set_index(["labels", "variant", "repeat"])["srcc"].loc[4.0]
    assert rows.loc[1].to_dict() == own[own.index.isin(rows.loc[1].index)].to_dict()  # the study's own pre-training
    assert not (studied / "artifacts/replication/1/prompts.safetensors").exists()
    assert (studied / "artifacts/replication/2/prompts.safetensors").is_file()
    held = pd.read_csv(reports / "components.csv").set_index("idea")
    assert set(held.index) == {"QGR", "Probe (ours)"}
    means = rows.xs("full", level="variant") - rows.xs("without_qgr", level="variant")
    assert held.loc["QGR", "difference"] == pytest.approx(means.mean(), abs=1e-3)


def test_every_choice_was_run_on_the_same_splits_and_stands_in_the_report(studied: Path) -> None:
    table = pd.read_csv(studied.parent / "reports/livec/choices.csv")
    assert sorted(table["choice"]) == sorted(CHOICES)
    runs = {name: pd.read_csv(studied / f"artifacts/choices/{name}/results.csv") for name in CHOICES}
    assert {name: rows["variant"].unique().tolist() for name, rows in runs.items()} == {
        "anew": ["full"],
        "earlier_probe": ["full_probe"],
        "squashed": ["ridge"],
    }
    assert all(rows["repeat"].tolist() == [1, 2] for rows in runs.values())
    made = studied / "artifacts/choices/anew"
    assert {path.stem for path in made.glob("*.safetensors")} == {"prompts", "prior"}
    assert (made / "distorted/pretrain/manifest.csv").is_file()
    assert [path.stem for path in sorted(made.glob("*.ipynb"))] == ["01_distort", "02_pretrain"]
    table = table.set_index("choice")
    assert table.loc["earlier_probe", ["low", "high"]].tolist() != [0, 0]  # another block gives other predictions
    assert not list((studied / "artifacts/choices/squashed").glob("*.ipynb"))  # a ridge needs no stage again


def test_a_repeat_is_tested_on_its_own_split_without_the_development_set(studied: Path) -> None:
    predictions = pd.read_csv(studied / "artifacts/runs/4/full/predictions.csv")
    images = pd.read_csv(studied / "artifacts/target/manifest.csv")["image"]
    tables = [pd.read_csv(studied / f"data/splits/{split:02}.csv") for split in (1, 2)]
    chosen_on = set(tables[0].loc[tables[0]["role"] == "val", "image"])
    for repeat, table in enumerate(tables, 1):
        tested = {Path(image).name for image in images[predictions.loc[predictions["repeat"] == repeat, "place"]]}
        assert tested == set(table.loc[table["role"] == "test", "image"]) - chosen_on


def test_a_second_run_finds_everything_up_to_date_and_the_main_study_knows_nothing_of_it(studied: Path) -> None:
    assert "up to date" in run(studied, "dvc", "status").stdout
    assert "livec" not in run(studied.parent, "dvc", "stage", "list").stdout


def test_no_image_of_the_set_is_in_the_repository(studied: Path) -> None:
    clone = studied.parent
    run(clone, "git", "add", "-A")
    names = run(clone, "git", "ls-files").stdout.splitlines()
    assert [name for name in names if name.endswith(".png")] == ["reports/livec/beside_published.png"]
    notebook = json.loads((clone / "reports/livec/report.ipynb").read_text(encoding="utf-8"))
    source = "".join(line for cell in notebook["cells"] for line in cell["source"])
    assert not [word for word in ("read_image", "PIL") if word in source]  # all pictures in it are drawn figures
