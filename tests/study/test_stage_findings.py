import pandas as pd

from study.reports.stage_findings import label_findings, scene_findings


def test_scenes_are_told_beside_the_nearest_mean_and_chance() -> None:
    text, mean = "text tower, held-out photographs", "nearest mean, held-out photographs"
    scores = {
        text: {"accuracy": 0.59, "balanced accuracy": 0.55},
        mean: {"accuracy": 0.66, "balanced accuracy": 0.65},
        "text tower, its own photographs": {"accuracy": 1.0, "balanced accuracy": 1.0},
    }
    found = scene_findings(scores, trained_on=42, held_out=43)
    assert "gives 59% of the crops of 43 held-out photographs" in found[0]
    assert "balanced 55%; chance is 11 %" in found[0]
    assert "gives 66%" in found[1]
    assert "Of the 42 photographs that it was aligned to it gives 100%" in found[2]


def test_labels_are_told_with_their_errors_and_the_types_out_of_order() -> None:
    numbers = {
        "srcc_cells": 0.942,
        "srcc_leave_one_type_out": 0.928,
        "mean_absolute_error_leave_one_type_out": 0.073,
        "types_in_order": 4,
    }
    offsets = [-0.2, -0.1, 0.0, 0.1, 0.3]
    by_type = pd.DataFrame({"name": list("ABCDE"), "srcc": [1.0, 1.0, 0.7, 1.0, 1.0], "offset": offsets})
    found = " ".join(label_findings(numbers, by_type))
    assert "at SRCC 0.942" in found
    assert "at 0.928, with a mean error of 0.073" in found
    assert "out of order: C (0.7)." in found
    assert "too kind to E, D, C, and too strict on A and B." in found
    assert "out of order: none." in " ".join(label_findings(numbers, by_type.assign(srcc=1.0)))
