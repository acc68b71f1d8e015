"""How wrong one score can be, as the probe's posterior knows it."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from grmp.errors import UserError
from grmp.features import Features
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings
from grmp.probe_fit import fit_probe, regress
from grmp.regression import NOISES, fit_bayes
from grmp.scoring import cli
from grmp.scoring.scorer import Scorer
from study.params import Params


@pytest.fixture
def judge(scorer: Scorer) -> Scorer:
    """A scorer whose probe has a posterior: one margin of 0.2 for all images."""
    probe = Probe(ProbeSettings(blocks=(1, 2), share=0.5, interval=True), 16)
    probe.noise.fill_(0.01)  # of each of two blocks, the square of 0.1
    return Scorer(scorer.model, scorer.view, probe)


@pytest.fixture
def pixels() -> list[np.ndarray]:
    return [*np.random.default_rng(0).integers(0, 256, (3, 66, 80, 3), dtype=np.uint8)]


@pytest.mark.parametrize("labels", [4, 12, 60])
@pytest.mark.parametrize("noise", [0.03, 3.0])
def test_nine_of_ten_labels_lie_within(labels: int, noise: float) -> None:
    """Of what the regression assumes: weights and noise from normal distributions."""
    draw, within = np.random.default_rng(labels), []
    for _ in range(100):
        weights, embeddings = draw.normal(size=20), draw.normal(size=(labels + 20, 20)) / 4
        scores = 0.4 + embeddings @ weights + np.sqrt(noise) * draw.normal(size=labels + 20)
        found = fit_bayes(embeddings[:labels], scores[:labels])
        form, constant = found.margin(labels)
        away = embeddings[labels:] - found.centre
        margin = np.sqrt(np.einsum("ne,ef,nf->n", away, form, away) + constant)
        predicted = found.odds @ found.predict_each(embeddings[labels:])
        within += [*(np.abs(predicted - scores[labels:]) <= margin)]
    assert np.mean(within) == pytest.approx(0.9, abs=0.04)


def test_the_variance_is_that_of_the_regressions_full_covariance() -> None:
    draw = np.random.default_rng(1)
    few, scores, new = draw.normal(size=(7, 12)), draw.normal(size=7), draw.normal(size=12)
    found = fit_bayes(few, scores)
    away, centred, expected = new - few.mean(0), few - few.mean(0), 0.0
    means = found.predict_each(new[None])[:, 0]
    for odds, noise, mean in zip(found.odds, NOISES, means):
        inner = np.linalg.inv(centred @ centred.T + noise * np.eye(7))
        scale = (scores - scores.mean()) @ inner @ (scores - scores.mean()) / 6
        seen = centred @ away
        variance = scale * (away @ away - seen @ inner @ seen + noise * (1 + 1 / 7))
        expected += odds * (variance + (mean - found.odds @ means) ** 2)
    form, constant = found.margin(7)
    quantile = 1.943180  # Student's t with six degrees of freedom, 0.95
    assert away @ form @ away + constant == pytest.approx(quantile**2 * expected, rel=1e-5)


def test_a_fitted_probe_has_the_margin_of_its_blocks_by_their_shares(settings: Params, prior: Prior) -> None:
    middle = torch.nn.functional.normalize(torch.randn(9, 2, 3, 16), dim=-1)
    seen = Features(torch.zeros(9, 2, 1, 4), torch.zeros(9, 2, 16), torch.full((2,), 0.5), middle)
    tuned = settings.finetune.model_copy(update={"probe_share": 0.5, "probe_prior": 3.0, "probe_blocks": (1, 2, 3)})
    scores, pooled, roots = torch.linspace(0.2, 0.8, 9), 0.0, prior.root(3.0)
    probe, read = fit_probe(seen, scores, tuned, roots), middle.mean(dim=1).numpy()
    shares = regress(read, scores.numpy(), roots).shares
    for block, root, share in zip(read.swapaxes(0, 1), roots, shares):
        found = fit_bayes(block @ root, scores.numpy())
        form, constant = found.margin(9)
        away = block @ root - found.centre
        pooled = pooled + np.sqrt(np.einsum("ne,ef,nf->n", away, form, away) + constant) * share
    np.testing.assert_allclose(probe.margin(middle.mean(dim=1)), pooled, rtol=1e-3)
    assert fit_probe(seen, scores, tuned, None).settings.interval


def test_the_table_has_the_ends_where_they_are_asked_for(judge: Scorer, pixels: list[np.ndarray]) -> None:
    table = judge.score([*pixels, np.zeros((8, 8, 3), np.uint8)], interval=True)
    assert list(table.columns) == ["image", "quality", "error", "low", "high"]
    whole = table[:3]
    np.testing.assert_allclose(whole["low"], (whole["quality"] - 0.2).clip(lower=0), atol=1e-6)
    np.testing.assert_allclose(whole["high"], (whole["quality"] + 0.2).clip(upper=1), atol=1e-6)
    assert table.loc[3, ["low", "high"]].isna().all()
    assert list(judge.score(pixels).columns) == ["image", "quality", "error"]
    assert judge.score(pixels)["quality"].tolist() == pytest.approx(whole["quality"].tolist(), abs=1e-6)


def test_a_scorer_that_knows_no_intervals_says_so(scorer: Scorer, pixels: list[np.ndarray]) -> None:
    with pytest.raises(UserError, match="no intervals"):
        scorer.score(pixels, interval=True)
    plain = Scorer(scorer.model, scorer.view, Probe(ProbeSettings(blocks=(1,), share=0.5), 16))
    with pytest.raises(UserError, match="knows no intervals"):
        plain.score(pixels, interval=True)


def test_the_command_writes_the_ends(
    judge: Scorer, pixels: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    monkeypatch.setattr("grmp.scoring.scorer_file.load", lambda *_: judge)

    def run(*more: str) -> str:
        done = CliRunner().invoke(cli.app, ["score", str(tmp_path / "a.png"), "--interval", *more])
        assert done.exit_code == ("--resume" in more) * 2, done.output
        return done.stdout

    (row,) = csv.DictReader(io.StringIO(run("--format", "csv")))
    assert [*row] == ["image", "quality", "low", "high"]
    assert float(row["high"]) - float(row["quality"]) == pytest.approx(0.2, abs=1e-5)
    (entry,) = json.loads(run("--format", "json"))
    assert {name: float(row[name]) for name in ("quality", "low", "high")} == pytest.approx(
        {name: entry[name] for name in ("quality", "low", "high")}
    )
    assert run().splitlines()[0].split() == ["image", "quality", "low", "high"]
    run("--resume", str(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()
