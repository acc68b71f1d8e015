"""The whole study through real DVC and papermill, in a clone of this checkout, on a tiny CLIP and four photographs."""

import io
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from tiny_clone import edit, make_clone, run

from grmp.metrics import srcc
from grmp.scoring.scorer_file import read_card


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "clone"
    make_clone(folder)
    return folder


@pytest.fixture(scope="module")
def studied(clone: Path) -> Path:
    """After `dvc repro`."""
    done = run(clone, "dvc", "repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return clone


def test_every_report_is_there_and_holds_its_provenance(studied: Path) -> None:
    for name in ("00_backbone", "01_distort", "02_pretrain", "03_finetune", "04_ablation"):
        assert "Provenance" in (studied / f"reports/{name}.html").read_text(encoding="utf-8")
        assert (studied / f"reports/{name}.ipynb").is_file()


def test_the_index_links_every_report(studied: Path) -> None:
    text = (studied / "reports/index.html").read_text(encoding="utf-8")
    assert all(f'href="{page.name}"' in text for page in (studied / "reports").glob("0*.html"))


def test_metrics_are_those_of_the_runs(studied: Path) -> None:
    runs = pd.read_csv(studied / "artifacts/runs/4/full/results.csv")
    tree = json.loads((studied / "reports/metrics.json").read_text(encoding="utf-8"))
    assert set(tree) == {"full", "without_qgr"}
    assert tree["full"]["4"]["srcc"] == pytest.approx(runs["srcc"].mean(), abs=1e-4)


def test_the_released_checkpoint_scores_as_its_card_says(studied: Path) -> None:
    manifest = pd.read_csv(studied / "artifacts/distorted/target/manifest.csv").set_index("image")
    done = run(studied, *["python", "-m", "grmp.scoring.cli", "score", "artifacts/distorted/target", "--format", "csv"])
    assert done.returncode == 0, done.stderr
    scored = pd.read_csv(io.StringIO(done.stdout)).set_index("image")["quality"]
    scored.index = [Path(image).relative_to("artifacts/distorted/target").as_posix() for image in scored.index]
    assert set(scored.index) == set(manifest.index)
    test = manifest.index[manifest["part"] == "test"]
    told = read_card(studied / "artifacts/checkpoints/grmp.safetensors").held_out
    assert told.images == len(test) == 8
    assert told.srcc == pytest.approx(srcc(scored[test].to_numpy(), manifest["score"][test].to_numpy()), abs=1e-3)


def test_a_second_run_finds_everything_up_to_date(studied: Path) -> None:
    done = run(studied, "dvc", "repro")
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout + done.stderr
    assert "up to date" in run(studied, "dvc", "status").stdout


def stages_run(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")}


def test_a_new_variant_and_its_look_compute_its_own_repeats_alone(studied: Path) -> None:
    def kept() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (studied / "artifacts/kept/repeats").iterdir()}

    before = kept()
    assert len(before) == 4
    new = {
        "study/variants.py": ("VARIANTS = {", '"prograd": Variant(rule={"when": "conflict"}),'),
        "study/reports/looks.py": ("LOOKS = {", '"prograd": Look("on conflict", "#8C564B", "v", (0, (1, 1))),'),
    }
    for name, (table, row) in new.items():
        text = (studied / name).read_text(encoding="utf-8")
        (studied / name).write_text(text.replace(table, f"{table}\n    {row}"), encoding="utf-8")
    edit(studied, {"grid": {"variants": ["full", "without_qgr", "prograd"]}})
    assert stages_run(run(studied, "dvc", "repro")) == {"finetune@4", "showcase", "ablation", "index"}
    assert before.items() < kept().items()
    assert len(kept()) == 6


def test_a_new_ratio_runs_one_stage_and_what_reads_them_alone(studied: Path) -> None:
    edit(studied, {"grid": {"labels": [4, 0.5]}})
    assert stages_run(run(studied, "dvc", "repro")) == {"finetune@0.5", "ablation", "index"}
    assert set(pd.read_csv(studied / "reports/ablation.csv")["count"]) == {4, 6}


def test_a_broken_photograph_is_named_without_a_traceback(studied: Path) -> None:
    photograph = studied / "data/images/dachshund.jpg"
    photograph.chmod(0o644)
    whole = photograph.read_bytes()
    photograph.write_bytes(whole[:5000])
    command = "python -m study.running.notebook notebooks/01_distort.ipynb reports/broken.ipynb"
    done = run(studied, *command.split(), "--sections", "compute,photos,distort", "--set", "target=artifacts/broken")
    photograph.write_bytes(whole)
    assert done.returncode == 1
    assert "dachshund.jpg" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (studied / "reports/broken.ipynb").exists()
