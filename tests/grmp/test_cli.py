import csv
import io
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from conftest import ROOT
from open_clip import CLIP
from PIL import Image
from ruamel.yaml import YAML
from typer.testing import CliRunner

from grmp.io import backbone
from grmp.io.paths import Folders
from grmp.io.prior_file import save
from grmp.io.prompts_file import save_prompts
from grmp.model import PromptedCLIP
from grmp.prior import Prior
from grmp.scoring import cli
from grmp.scoring.card import Card
from grmp.scoring.scorer import Scorer
from study.params import Params


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures in a folder, and ratings.csv beside it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (12, 66, 80, 3), dtype=np.uint8)
    for n, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{n:02}.png")
    table = pd.DataFrame({"image": [f"{n:02}.png" for n in range(12)], "mos": range(12)})
    table.to_csv(tmp_path / "ratings.csv", index=False)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def complaint(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """What `grmp` ends with where the user can mend something."""
    monkeypatch.setattr(sys, "argv", ["grmp", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert str(end.value.code).startswith("error: ")
    assert "\n" not in end.value.code
    return end.value.code


def test_the_table_has_a_line_per_image_in_the_order_given(checkpoint: Path, photos: Path, scorer: Scorer) -> None:
    given = [photos / "03.png", photos / "01.png"]
    done = run("score", *given, "--checkpoint", checkpoint, "--device", "cpu")
    assert done.exit_code == 0, done.output
    head, *lines = [line.split() for line in done.stdout.splitlines()]
    assert head == ["image", "quality"]
    assert [line[0] for line in lines] == [str(path) for path in given]
    assert [float(line[1]) for line in lines] == pytest.approx(scorer.score(given)["quality"].tolist(), abs=1e-4)
    assert "2 images in " in done.stderr
    assert "images/s" in done.stderr


def test_csv_and_json_are_clean_and_agree(checkpoint: Path, photos: Path) -> None:
    as_csv, as_json = (
        run("score", photos, "--checkpoint", checkpoint, "--format", form, "--batch", 5) for form in ("csv", "json")
    )
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [Path(row["image"]).name for row in rows] == [f"{n:02}.png" for n in range(12)]
    read = json.loads(as_json.stdout)
    assert [row["image"] for row in read] == [row["image"] for row in rows]
    assert [row["quality"] for row in read] == pytest.approx([float(row["quality"]) for row in rows])
    assert read[0].keys() == {"image", "quality"}


def test_an_unreadable_file_is_named_the_rest_is_scored_and_the_status_is_1(checkpoint: Path, photos: Path) -> None:
    (photos / "04.png").write_text("no image")
    done = run("score", photos, photos / "none.png", "--checkpoint", checkpoint, "--format", "csv")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1 + 11
    assert f"error: {photos / '04.png'}: cannot be read as an image" in done.stderr
    assert f"error: {photos / 'none.png'}: cannot be read as an image (No such file" in done.stderr
    assert "2 could not be read" in done.stderr


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_score_at_all_is_still_well_formed(checkpoint: Path, tmp_path: Path, form: str) -> None:
    done = run("score", tmp_path / "none.png", "--checkpoint", checkpoint, "--format", form)
    assert done.exit_code == 1
    assert done.stdout.split() == {"table": ["image", "quality"], "csv": ["image,quality"], "json": ["[]"]}[form]


def test_the_card_is_printed(checkpoint: Path, card: Card) -> None:
    assert run("card", checkpoint).stdout == f"{card.text()}\n"


def test_what_the_user_can_mend_is_one_line(
    checkpoint: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "artifacts/checkpoints/grmp.safetensors: no such checkpoint" in complaint(monkeypatch, "score", photos)
    assert "clip.safetensors: is no scoring checkpoint" in complaint(monkeypatch, "card", "clip.safetensors")
    assert "*.tif: matches no file" in complaint(monkeypatch, "score", "*.tif", "--checkpoint", checkpoint)
    fit = ("fit", "--data", photos, "--scores")
    assert "params.yaml: cannot be read" in complaint(monkeypatch, *fit, "ratings.csv")
    assert "none.csv: cannot be read" in complaint(monkeypatch, *fit, "none.csv", "--params", ROOT / "params.yaml")


@pytest.mark.parametrize("out", ["mine.safetensors", "other.csv"], ids=["beside the labels", "itself"])
def test_predictions_take_the_place_of_neither_labels_nor_checkpoint(
    photos: Path, out: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = "image,mos\n0.png,1\n"
    Path("mine.csv").write_text(labels)
    fit = ("fit", "--data", photos, "--scores", tmp_path / "mine.csv", "--params", ROOT / "params.yaml")
    assert "predictions would take its place" in complaint(monkeypatch, *fit, "--out", out)
    assert Path("mine.csv").read_text() == labels


@pytest.fixture
def study(
    photos: Path,
    tmp_path: Path,
    clip: CLIP,
    config: dict,
    model: PromptedCLIP,
    settings: Params,
    prior: Prior,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder as the study leaves it, which is the current one."""
    monkeypatch.chdir(tmp_path)
    backbone.save(Folders.clip, clip, config, settings.backbone)
    save_prompts(Folders.prompts, model)
    save(Folders.prior, prior, model, settings.finetune.probe_blocks)
    Folders.scorer.parent.mkdir(parents=True)
    checkpoint.rename(Folders.scorer)
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(settings.model_dump(mode="json"), file)
    return tmp_path


def test_fitting_scoring_and_reading_the_card_work_together(study: Path) -> None:
    arguments = ("--data", "photos", "--scores", "ratings.csv", "--range", 11, 0)
    done = run("fit", *arguments, "--out", "mine.safetensors")
    assert done.exit_code == 0, done.output
    told = run("card", "mine.safetensors").stdout
    assert told in done.stdout
    assert "12; 0 is 11, 1 is 0 (as given)" in told
    assert "on 12 labels" in told
    scored = run("score", "photos/*.png", "--checkpoint", "mine.safetensors", "--format", "csv")
    assert scored.exit_code == 0
    assert len(pd.read_csv(io.StringIO(scored.stdout))) == 12


def test_suggested_images_are_a_table_that_fit_takes_once_it_is_filled_in(study: Path) -> None:
    (study / "photos/broken.png").write_bytes(b"no image")
    done = run("suggest", "photos", "--count", 10, "--out", "mine.csv")
    assert done.exit_code == 0, done.output
    table = pd.read_csv("mine.csv", dtype=str)
    assert list(table) == ["image", "mos"]
    assert table["mos"].isna().all()
    assert table["image"].is_unique
    assert {*table["image"]} < {f"{n:02}.png" for n in range(12)}
    table.assign(mos=range(10)).to_csv("filled.csv", index=False)
    done = run("fit", "--data", "photos", "--scores", "filled.csv", "--higher-is", "better", "--out", "own.safetensors")
    assert done.exit_code == 0, done.output
    more = run("suggest", "photos", "--count", 2, "--labelled", "filled.csv", "--out", "more.csv")
    assert more.exit_code == 0, more.output
    assert {*pd.read_csv("more.csv")["image"]} == {f"{n:02}.png" for n in range(12)} - {*table["image"]}


def test_no_labels_are_overwritten_and_no_image_is_named_that_fit_would_not_take(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ratings.csv: exists" in complaint(monkeypatch, "suggest", "photos")
    few = ("suggest", "photos", "--labelled", "ratings.csv", "--count", 1, "--out", "new.csv")
    assert "only 0 images without a label" in complaint(monkeypatch, *few)
    Path("other.csv").write_text("file,mos\n00.png,3\n")
    assert "column `image` is missing" in complaint(monkeypatch, *few[:3], "other.csv", "--out", "new.csv")
    Path("elsewhere.png").write_bytes(Path("photos/00.png").read_bytes())
    Path("photos/link.png").symlink_to(Path("elsewhere.png").resolve())  # `grmp fit` would refuse its row
    assert "1 names lead out of photos, first: link.png" in complaint(monkeypatch, "suggest", "photos", *few[4:])


def test_help_and_version_come_without_torch() -> None:
    code = """
import sys
from grmp.scoring import cli
try:
    cli.main()
except SystemExit:
    print("torch" in sys.modules)
"""
    for option, expected in (("--help", "score"), ("--version", f"grmp {version('grmp')}")):
        command = [sys.executable, "-c", code, option]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert expected in done.stdout
        assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize("command", ["score", "fit", "suggest", "card"])
def test_every_command_shows_an_example(command: str) -> None:
    assert f"\n grmp {command} " in run(command, "--help").stdout


@pytest.mark.parametrize(
    "wrong", [("--batch", 0), ("--format", "xml"), ("--device", "tpu"), ("--unknown",)], ids=lambda wrong: wrong[0]
)
def test_a_wrong_option_is_told_as_such(wrong: tuple) -> None:
    done = run("score", "a.png", *wrong)
    assert done.exit_code == 2
    assert wrong[0] in done.stderr
