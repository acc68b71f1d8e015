"""The simple rows: their features, their choice within the labels, their table and what the report says of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from jaxtyping import Float
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor

from grmp.errors import UserError
from grmp.features import Features
from grmp.metrics import srcc
from grmp.probe import Probe, ProbeSettings
from study.reports.simple import TITLES, simple_finding, simple_table, unlabelled_finding
from study.reports.tables import median_cell
from study.stages import simple
from study.stages.cells import regression as ridge_row
from study.stages.inputs import Inputs, labelled_indices
from study.stages.ridge import fit_predict
from study.stages.simple import assess, assess_unlabelled, brisque_features, predict, predict_by_block
from study.variants import VARIANTS

COUNT = 6


def blurred(sigma: float, seed: int) -> Tensor:
    """Noise of 96 pixels, blurred and brought back to the same contrast."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), sigma)
    grey = (128 + 40 * noise / noise.std()).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(grey).expand(3, -1, -1)


@pytest.fixture
def brisque(study: Inputs) -> Float[np.ndarray, "n 36"]:
    """Features of as many images as the study has, the more blurred the later."""
    return np.stack([brisque_features(blurred(0.5 + 0.1 * index, index)) for index in range(len(study.scores))])


@pytest.fixture
def rows() -> pd.DataFrame:
    keys = [(method, count, repeat) for method in TITLES for count in (10, 50) for repeat in (1, 2, 3)]
    table = pd.DataFrame(keys, columns=["method", "count", "repeat"])
    return table.assign(srcc=np.where(table["method"] == "block_ridge", 0.7, 0.3) + 0.01 * table["repeat"])


def test_a_sharp_and_a_blurred_image_have_other_features() -> None:
    sharp, other, blunt = (brisque_features(blurred(*key)) for key in ((0.5, 1), (0.5, 2), (2.0, 1)))
    assert sharp.shape == (36,)
    assert np.abs(sharp - blunt).max() > 3 * np.abs(sharp - other).max()


def test_features_at_half_the_size_are_those_of_the_small_image() -> None:
    image = blurred(1.0, 1).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    np.testing.assert_allclose(brisque_features(image)[18:], brisque_features(blurred(1.0, 1))[:18], atol=0.1)


def test_the_normalised_pixels_of_white_noise_have_the_shape_of_a_bell() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (256, 256)).clip(0, 255).astype(np.uint8)
    shape = brisque_features(torch.from_numpy(noise).expand(3, -1, -1))[0]
    assert 2 < shape < 3.5  # 2 is a normal distribution; dividing by the local deviation takes from the tails


def test_an_image_of_one_colour_has_finite_features() -> None:
    assert np.isfinite(brisque_features(torch.full((3, 48, 60), 128, dtype=torch.uint8))).all()


def test_a_score_that_falls_with_blur_is_predicted(study: Inputs, brisque: Float[np.ndarray, "n 36"]) -> None:
    falling = replace(study, scores=torch.linspace(1, 0, len(study.scores)))
    test = study.folds[0].test
    predicted = predict(falling, brisque, 10, repeat=1)["brisque_ridge"]
    assert spearmanr(predicted, falling.scores[test]).statistic > 0.9


def test_the_block_that_tells_something_is_chosen_and_no_test_image_has_a_say() -> None:
    generator = np.random.default_rng(0)
    few, many = generator.normal(size=(12, 3, 16)), generator.normal(size=(9, 3, 16))
    weight = generator.normal(size=16)
    for block in range(3):
        predicted = predict_by_block(few, few[:, block] @ weight, many)
        own = fit_predict(few[:, block], few[:, block] @ weight, many[:, block])
        np.testing.assert_allclose(predicted, own)
        np.testing.assert_allclose(predict_by_block(few, few[:, block] @ weight, many[:1]), own[:1])


def test_the_last_block_is_among_the_choices_and_is_then_the_frozen_ridge(
    study: Inputs, brisque: Float[np.ndarray, "n 36"]
) -> None:
    plain = study.plain
    weight = torch.randn(plain.embeddings.shape[-1])
    told = replace(study, scores=plain.average(plain.embeddings) @ weight, plain=_without_middle(plain))
    expected, _ = ridge_row(told, VARIANTS["ridge"], COUNT, 1)
    np.testing.assert_allclose(predict(told, brisque, COUNT, 1)["block_ridge"], expected, atol=1e-5)


def _without_middle(features: Features) -> Features:
    return replace(features, middle=torch.zeros_like(features.middle))


def test_the_labelled_images_are_the_grids_and_no_other_score_counts(
    study: Inputs, brisque: Float[np.ndarray, "n 36"]
) -> None:
    kept = torch.zeros(len(study.scores), dtype=torch.bool)
    kept[labelled_indices(study, COUNT, 2)] = True
    shuffled = study.scores.clone()
    shuffled[~kept] = study.scores[~kept].flip(0)
    one, other = (predict(replace(study, scores=scores), brisque, COUNT, 2) for scores in (study.scores, shuffled))
    assert all(np.array_equal(one[method], other[method]) for method in TITLES)
    first = labelled_indices(study, COUNT, 2)[:1]
    changed = predict(replace(study, scores=study.scores.index_fill(0, first, 3.0)), brisque, COUNT, 2)
    assert not any(np.array_equal(one[method], changed[method]) for method in TITLES)


def test_the_table_has_a_row_per_method_and_counts_a_share_of_the_pool(
    study: Inputs, brisque: Float[np.ndarray, "n 36"]
) -> None:
    table = assess(study, brisque, 0.5, repeat=2)
    assert list(table) == ["method", "labels", "count", "repeat", "srcc", "plcc"]
    assert table["method"].tolist() == list(TITLES)
    assert table[["labels", "count", "repeat"]].to_numpy().tolist() == [[0.5, 6, 2]] * 2
    assert table[["srcc", "plcc"]].abs().le(1).all(axis=None)
    with pytest.raises(UserError, match="labels 500"):
        assess(study, brisque, 500, repeat=1)


def test_the_report_shows_both_rows_and_compares_them_with_the_frozen_ridge(rows: pd.DataFrame) -> None:
    table = simple_table(rows, median_cell)
    assert table["variant"].tolist() == list(TITLES.values())
    assert table["50 labels"].tolist() == ["0.320<br>0.310–0.330", "0.720<br>0.710–0.730"]
    ridge = rows[rows["method"] == "block_ridge"].assign(variant="ridge")
    ridge["srcc"] += np.array([-0.1, -0.2, -0.3] * 2)
    sentence = simple_finding(rows, ridge, ratio=0.3)
    assert "BRISQUE + ridge* -0.200 (" in sentence
    assert "labels)* +0.200 (" in sentence
    assert "not in this grid" in simple_finding(rows, ridge.assign(variant="full"), ratio=0.3)


def test_what_no_label_gives_is_a_row_per_repeat_and_a_sentence(study: Inputs) -> None:
    probe = Probe(ProbeSettings(blocks=study.finetune.probe_blocks, share=1.0), study.plain.probed().shape[-1])
    probe.weight.normal_()
    table = assess_unlabelled(study, probe)
    assert table["repeat"].tolist() == list(range(1, study.repeats + 1))
    assert (table["count"] == 0).all()
    judged = probe(torch.zeros(len(study.scores)), study.plain.probed())
    test = study.folds[0].test
    assert table["srcc"][0] == pytest.approx(srcc(judged[test].numpy(), study.scores[test].numpy()))
    told = pd.DataFrame({"method": "unlabelled", "repeat": range(10), "srcc": np.linspace(0.6, 0.7, 10)})
    assert "median SRCC is 0.650 (97.9 % interval 0.611 to 0.689)" in unlabelled_finding(told)


@pytest.mark.parametrize(
    ("params", "change", "told"),
    [("params.yaml", {}, "has no section target"), ("human/params.yaml", {"probe_blocks": [9]}, "must have")],
)
def test_what_it_cannot_assess_is_said_before_any_work(params: str, change: dict, told: str, tmp_path: Path) -> None:
    content = YAML(typ="safe").load(ROOT / params)
    content["finetune"].update(change)
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(content, file)
    with pytest.raises(UserError, match=told):
        simple.main(tmp_path / "simple.csv", params_path=tmp_path / "params.yaml")
