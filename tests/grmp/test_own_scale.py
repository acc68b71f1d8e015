"""Scores on the scale of the labels that a checkpoint was fitted to."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from open_clip import CLIP
from PIL import Image
from typer.testing import CliRunner

from grmp.errors import UserError
from grmp.probe import Probe, ProbeSettings
from grmp.scoring import cli
from grmp.scoring.card import Card
from grmp.scoring.opinions import scale
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import load, save
from study.params import Params

RANGES = [(1.0, 5.0), (100.0, 0.0)]


@pytest.fixture
def pixels() -> list[np.ndarray]:
    return [*np.random.default_rng(0).integers(0, 256, (3, 66, 80, 3), dtype=np.uint8)]


@pytest.fixture
def fitted(tmp_path: Path, scorer: Scorer, clip: CLIP, checkpoint: Path, settings: Params, card: Card):
    """Makes a checkpoint with intervals whose labels had given ends."""
    probe = Probe(ProbeSettings(blocks=(1, 2), share=0.5, interval=True), 16)
    probe.noise.fill_(0.01)  # of each of two blocks, the square of 0.1

    def make(low: float, high: float, told: bool = True) -> Path:
        labels = card.labels.model_copy(update={"low": low, "high": high, "range_given": told})
        path = tmp_path / "mine.safetensors"
        judge = Scorer(scorer.model, scorer.view, probe)
        save(path, judge, tmp_path / "clip.safetensors", settings.prompts, card.model_copy(update={"labels": labels}))
        return path

    return make


@pytest.mark.parametrize("ends", RANGES)
def test_scores_and_bounds_go_back_to_where_labels_came_from(fitted, pixels: list[np.ndarray], ends: tuple) -> None:
    judge = load(fitted(*ends), "cpu")
    unit, own = (judge.score(pixels, interval=True, scale=name) for name in ("unit", "own"))
    np.testing.assert_allclose(scale(own["quality"].to_numpy(), ends), unit["quality"], rtol=1e-12)
    assert (own["low"] < own["quality"]).all()
    assert (own["quality"] < own["high"]).all()
    assert own[["low", "high"]].stack().between(min(ends), max(ends)).all()
    better = own["quality"].rank(ascending=ends[0] < ends[1])
    assert better.tolist() == unit["quality"].rank().tolist()
    assert judge.score(pixels, interval=True).equals(unit)


def test_an_image_that_cannot_be_read_has_no_score_on_any_scale(fitted) -> None:
    (row,) = load(fitted(1, 5), "cpu").stream([np.zeros((8, 8, 3), np.uint8)], scale="own")
    assert np.isnan(row[1:2]).all()
    assert "cannot be judged" in row.error


@pytest.mark.parametrize(("low", "high", "told"), [(0, 1, True), (1, 5, False)], ids=["untuned", "no range"])
def test_without_a_given_range_the_file_and_the_remedy_are_named(
    fitted, pixels: list[np.ndarray], low: float, high: float, told: bool
) -> None:
    path = fitted(low, high, told)
    with pytest.raises(UserError, match=rf"^{path}: has no scale but 0 to 1; `grmp fit --range WORST BEST`"):
        load(path, "cpu").score(pixels, scale="own")


def test_a_scorer_in_memory_has_no_scale_of_its_own(scorer: Scorer, pixels: list[np.ndarray]) -> None:
    with pytest.raises(UserError, match=r"^this scorer: has no scale but 0 to 1"):
        scorer.score(pixels, scale="own")


def test_the_command_writes_them_in_every_form(fitted, pixels: list[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    path = fitted(100, 0)
    expected = load(path, "cpu").score(tmp_path / "a.png", interval=True, scale="own")

    def run(*more: str) -> str:
        given = ["score", tmp_path / "a.png", "--checkpoint", path, "--device", "cpu", "--interval", "--scale", "own"]
        done = CliRunner().invoke(cli.app, [*map(str, given), *more])
        assert done.exit_code == ("--resume" in more) * 2, done.output
        return done.stdout

    (row,) = csv.DictReader(io.StringIO(run("--format", "csv")))
    (entry,) = json.loads(run("--format", "json"))
    line = run().splitlines()[1].split()
    for place, name in enumerate(("quality", "low", "high"), 1):
        assert float(row[name]) == entry[name] == pytest.approx(expected[name][0], abs=1e-6)
        assert float(line[place]) == pytest.approx(entry[name], abs=1e-4)
    run("--resume", str(tmp_path / "out.csv"))
