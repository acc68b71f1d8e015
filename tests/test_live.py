import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from grmp.live import FOLDER, Curves, folder_name
from grmp.progress import Progress


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, "live")
    return tmp_path / "live"


def curve(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "plots/metrics" / f"{name}.tsv", sep="\t")


def train(title: str, losses: list[float]) -> None:
    progress = Progress(title, len(losses))
    for step, loss in enumerate(losses, 1):
        progress.update(step, items=1, loss=loss, other=2 * loss)


def test_every_step_is_kept_under_the_runs_title(watched: Path) -> None:
    train("full @ 50, repeat 1/5", [0.5, 0.25, 0.125])
    rows = curve(watched / "full-50-repeat-1-5", "loss")
    assert rows["step"].tolist() == [1, 2, 3]
    assert rows["loss"].tolist() == [0.5, 0.25, 0.125]
    assert curve(watched / "full-50-repeat-1-5", "other")["other"].tolist() == [1.0, 0.5, 0.25]


def test_a_curve_can_be_read_while_it_grows(watched: Path) -> None:
    curves = Curves("run")
    for step in (1, 2):
        curves.add(step, {"loss": 1 / step})
        assert curve(watched / "run", "loss")["step"].tolist() == list(range(1, step + 1))


def test_the_same_title_starts_anew(watched: Path) -> None:
    train("run", [3.0, 2.0, 1.0])
    train("run", [5.0, 4.0])
    assert curve(watched / "run", "loss")["loss"].tolist() == [5.0, 4.0]


def test_steps_without_numbers_make_no_curve(watched: Path) -> None:
    Progress("images", 1).update(1, items=3)
    assert not watched.exists()


def test_nothing_is_written_and_nothing_imported_unless_asked_for(tmp_path: Path) -> None:
    code = "import sys; from grmp.progress import Progress; Progress('x', 1).update(1, loss=1.0); "
    code += "sys.exit('dvclive' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(FOLDER, None)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", [True, False])
def test_what_the_terminal_and_so_the_notebook_sees_does_not_change(
    watched: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], inside: bool
) -> None:
    if inside:  # as `dvc repro` does
        monkeypatch.setenv("DVC_ROOT", str(watched.parent))
    train("run", [1.0])
    assert (watched / "run").is_dir()
    said = capfd.readouterr()
    assert len(said.out.splitlines()) == 1
    assert said.err == ""


@pytest.mark.parametrize(
    ("title", "name"), [("pre-train", "pre-train"), ("full @ 0.2, repeat 1/5", "full-0.2-repeat-1-5"), ("../x", "x")]
)
def test_a_title_becomes_a_folders_name(title: str, name: str) -> None:
    assert folder_name(title) == name
