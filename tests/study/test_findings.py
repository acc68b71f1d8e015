import pandas as pd
import pytest

from study.reports.comparisons import compare_variants
from study.reports.findings import grid_findings, optimism_finding, published_finding, sweep_finding, training_findings
from study.reports.markdown import bullets
from study.reports.published import published
from study.reports.tables import Grid


@pytest.fixture
def grid() -> Grid:
    rows = [
        {"variant": variant, "labels": 50, "count": 50, "repeat": repeat, "srcc": base + repeat / 1000 * (1 + base)}
        for variant, base in (("full", 0.7), ("without_mpp", 0.5), ("without_qgr", 0.7), ("ridge", 0.6))
        for repeat in range(1, 11)
    ]
    results = pd.DataFrame(rows)
    return Grid(results.assign(srcc_best=results["srcc"] + 0.01), pd.DataFrame())


def test_a_grids_findings_are_three_to_six_sentences_from_its_numbers(grid: Grid) -> None:
    found = grid_findings(grid, compare_variants(grid.results), 50, pd.Series.median)
    assert 3 <= len(found) <= 6
    assert "highest median SRCC is 0.709, of *MPP + QGR (full)*, against 0.609 of" in found[0]
    assert "**MPP**" in found[1]
    assert "adds 0.201" in found[1]
    assert "no difference" in found[2]
    assert "best of 4 steps on the test part would have added 0.0100 SRCC" in optimism_finding(grid.results, 4)


def test_published_numbers_are_below_inside_or_above_the_interval(grid: Grid) -> None:
    sentence = published_finding(grid.results, published("LIVEC", [50]), 50)
    assert "97.9 % interval 0.703 to 0.715" in sentence
    assert "below that interval: HyperIQA, TReS, CLIP, fine-tuned, DEIQT;" in sentence
    assert "above it: GRepQ, UniQA, GRMP-IQA, as published" in sentence
    assert "No published numbers" in published_finding(grid.results.assign(count=10), published("LIVEC", [10]), 10)


def test_a_strength_that_adds_nothing_is_said_to() -> None:
    rows = pd.DataFrame({"strength": [1.0, 5.0], "difference": [-0.1, -0.2], "low": -0.3, "high": 0.0, "p": 0.1})
    assert "No strength" in sweep_finding(rows.assign(p_holm=0.2))
    better = rows.assign(difference=[0.1, 0.2], low=0.05, high=0.3, p=0.001, p_holm=0.2)
    sentence = sweep_finding(better)
    assert sentence.startswith("λ = 5")
    assert "no difference of SRCC can be claimed" in sentence
    assert "p = 0.2" in sentence


def test_training_names_the_best_the_worst_and_how_often_gradients_agree(grid: Grid) -> None:
    steps = pd.DataFrame({"variant": "full", "cosine": [0.1, 0.2, -0.1, None]})
    text = bullets(training_findings(grid.results, steps))
    assert "highest mean SRCC" in text
    assert "*without MPP*" in text
    assert "67%" in text
