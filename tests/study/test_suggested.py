"""What labels of suggested images are worth: the table, its figure and its sentence."""

from dataclasses import replace

import pandas as pd
import pytest

from study.reports.findings import suggested_finding
from study.reports.human_figures import suggested_plot
from study.stages import suggested
from study.stages.inputs import Inputs


@pytest.fixture
def told() -> pd.DataFrame:
    rows = [
        (images, labels, repeat, srcc + 0.01 * repeat + gain, 0.9)
        for labels, srcc, gained in ((10, 0.5, 0.1), (50, 0.8, -0.02))
        for repeat in (1, 2, 3)
        for images, gain in (("random", 0.0), ("suggested", gained))
    ]
    return pd.DataFrame(rows, columns=["images", "labels", "repeat", "srcc", "coverage"])


def test_both_ways_are_compared_at_every_number_that_the_pool_has(
    study: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = len(study.folds[0].train)
    monkeypatch.setattr(suggested, "COUNTS", (3, pool, pool + 1))
    settings = study.finetune.model_copy(update={"probe_prior": 3.0})
    table = suggested.compare(replace(study, finetune=settings), repeat=1)
    assert table[["images", "labels"]].to_numpy().tolist() == [
        [images, count] for images in ("random", "suggested") for count in (3, pool)
    ]
    assert table["coverage"].between(0, 1).all()
    whole = table[table["labels"] == pool].set_index("images")
    assert whole.loc["random", "srcc"] == pytest.approx(whole.loc["suggested", "srcc"], abs=1e-6)  # the same labels


def test_intervals_are_checked_without_a_prior_too(study: Inputs) -> None:
    settings = study.finetune.model_copy(update={"probe_prior": 0.0})
    table = suggested.compare(replace(study, finetune=settings, prior=None), repeat=1)
    assert table["coverage"].between(0, 1).all()
    assert table["srcc"].notna().all()


def test_the_sentence_has_gains_and_coverage(told: pd.DataFrame) -> None:
    sentence = suggested_finding(told, ratio=0.3)
    assert "+0.100 (" in sentence
    assert "-0.020 (" in sentence
    assert "90 % with 10, 90 % with 50" in sentence


def test_the_figure_has_both_ways(told: pd.DataFrame) -> None:
    axes = suggested_plot(told).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["random images", "suggested images"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "50"]
