import pytest
import torch

from grmp.text import SCENES
from study.stages.scenes import scene_accuracy, scene_means

SCENE = torch.tensor([0, 1, 1])
FEATURES = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 0.1]]])


def test_a_scenes_mean_has_length_one_and_an_unknown_scene_none() -> None:
    means = scene_means(FEATURES, SCENE)
    assert means.shape == (len(SCENES), 2)
    assert means[:2].norm(dim=1).tolist() == pytest.approx([1, 1])
    assert means[2:].abs().max() == 0


def test_crops_go_to_the_nearest_reference() -> None:
    scores = scene_accuracy(FEATURES, SCENE, torch.eye(2))
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert scores["balanced accuracy"] == pytest.approx((1 + 3 / 4) / 2)
