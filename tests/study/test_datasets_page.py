import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from test_datasets import write_image, write_own
from typer.testing import CliRunner

from grmp.errors import UserError
from study.data.datasets.__main__ import main, summary
from study.data.datasets.catalogue import SETS, overview
from study.docs.datasets_page import PAGE, markdown

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path)
    write_image(tmp_path / "images/a.png")
    write_image(tmp_path / "images/b.png", 1)
    return tmp_path


def run(*arguments: object) -> str:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_committed_page_is_what_the_table_gives() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == markdown()


def test_every_set_has_a_row_and_a_section() -> None:
    assert overview()["name"].tolist() == list(SETS)
    for about in SETS.values():
        assert f"\n### {about.name}: {about.title}\n" in markdown()


def test_list_names_every_set() -> None:
    assert all(about.title in run("--list") for about in SETS.values())


def test_a_set_is_summed_up(folder: Path) -> None:
    told = run("csv", folder, "--scale", "1", "5").splitlines()
    assert told == ["images: 2", "raw: 1 to 4", "score: 0.000 to 0.750, mean 0.375"]


def test_verify_decodes_every_image(folder: Path) -> None:
    assert "all 2 images decode" in run("csv", folder, "--scale", "1", "5", "--verify")
    (folder / "images/a.png").write_text("")
    with pytest.raises(UserError, match=r"1 of 2 images cannot be decoded, first: images/a\.png"):
        run("csv", folder, "--scale", "1", "5", "--verify")


def test_a_partial_copy_is_read_on_purpose_alone(folder: Path) -> None:
    (folder / "images/b.png").unlink()
    assert "images: 1" in run("csv", folder, "--scale", "1", "5", "--allow-missing")
    with pytest.raises(UserError, match=r"1 of 2 images are missing, first: images/b\.png"):
        run("csv", folder, "--scale", "1", "5")


def test_name_and_folder_are_both_needed() -> None:
    with pytest.raises(UserError, match="NAME FOLDER"):
        run("csv")


def test_parts_are_counted_while_they_are_few() -> None:
    rows = pd.DataFrame({"raw": 1.0, "score": 0.5, "part": ["b", "a", "b"], "scene": ""}, index=range(3))
    told = summary(rows.assign(reference=["r1", "r2", "r3"], distortion="")).splitlines()
    assert told[-2:] == ["reference: 3: r1 1, r2 1, r3 1", "part: 2: a 1, b 2"]
    many = pd.concat([rows] * 20, ignore_index=True).assign(distortion="", reference=[f"r{n}" for n in range(60)])
    assert "reference: 60" in summary(many).splitlines()


def test_at_the_shell_a_mistake_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "study.data.datasets", "nothing", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("error: nothing: no such set")
    assert done.stderr.count("\n") == 1
