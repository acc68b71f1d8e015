"""Scores are written when they are known, stay where the command is stopped, and are gone on with."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from grmp.scoring import cli
from grmp.scoring.scorer import Scorer


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for n, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 66, 80, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{n}.png")
    return folder


def score(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["score", *map(str, arguments)])


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after two images."""
    stream = Scorer.stream

    def two(*given: object):
        rows = stream(*given)
        yield next(rows)
        yield next(rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(Scorer, "stream", two)


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_what_was_scored_stays_when_it_is_stopped(checkpoint: Path, photos: Path, form: str) -> None:
    done = score(photos, "--checkpoint", checkpoint, "--format", form)
    assert done.exit_code == 130
    assert "stopped: 2 of 6 images were scored" in done.stderr
    assert len(json.loads(done.stdout) if form == "json" else done.stdout.splitlines()[1:]) == 2


def test_a_csv_is_gone_on_with_behind_its_last_whole_row(checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "quality.csv"
    given = (photos, "--checkpoint", checkpoint, "--resume", out)
    assert score(*given).exit_code == 0
    whole = out.read_text()
    assert [row["image"] for row in csv.DictReader(whole.splitlines())] == [f"{photos}/{n}.png" for n in range(6)]
    out.write_text("".join(whole.splitlines(keepends=True)[:4])[:-5])  # the third row is cut off
    done = score(*given)
    assert "4 images in" in done.stderr
    assert out.read_text() == whole
    assert "0 images in" in score(*given).stderr


def test_another_checkpoints_csv_and_other_files_are_left_alone(checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "quality.csv"
    for content, told in (
        (f"image,quality\n{photos}/0.png,0.001\n", "gives .*0.png 0.001, this checkpoint 0"),
        (f"image,quality\n{photos}/0.png,0.001\n{photos}/1.p", "gives .*0.png 0.001, this checkpoint 0"),
        ("image,quality\na.png,good\n", "cannot be read as a table"),
        ("name,mos\na,1\n", "does not begin with"),
        ("a note", "does not begin with"),
    ):
        out.write_text(content)
        done = score(photos, "--checkpoint", checkpoint, "--resume", out)
        assert done.exit_code == 1
        assert done.exception is not None
        assert re.search(told, str(done.exception))
        assert out.read_text() == content
