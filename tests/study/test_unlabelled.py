import numpy as np
import pandas as pd
import pytest
import torch

from grmp.metrics import srcc
from study.stages.choose import BLOCKS as ALL
from study.stages.choose_unlabelled import PENALTIES, compare
from study.stages.unlabelled import learn_unlabelled

BLOCKS, WIDTH = (2, 3), 12


def distorted(images: int = 200, seed: int = 0, blocks: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of which the second channel is the damage, and the others are noise."""
    draw = np.random.default_rng(seed)
    damage = draw.uniform(0, 1, images)
    embeddings = draw.normal(0, 0.05, (images, blocks, WIDTH))
    embeddings[..., 1] += damage[:, None]
    return torch.from_numpy(embeddings).float(), torch.from_numpy(0.9 - 0.6 * damage).float()


def test_what_the_scores_vary_with_is_learned_and_judges_other_images() -> None:
    probe, (embeddings, scores) = learn_unlabelled(*distorted(), BLOCKS), distorted(seed=1)
    assert srcc(probe(torch.zeros(200), embeddings).numpy(), scores.numpy()) > 0.95
    assert probe.settings.share == 1
    assert probe.weight.abs().argmax(dim=1).tolist() == [1, 1]


@pytest.mark.parametrize("penalty", [1e-4, 6e-3, 1.0])
def test_predictions_have_the_range_of_the_scores_whatever_the_penalty(penalty: float) -> None:
    embeddings, scores = distorted()
    judged = learn_unlabelled(embeddings, scores, BLOCKS, penalty)(torch.zeros(200), embeddings)
    slope, bias = np.polyfit(judged.numpy(), scores.numpy(), 1)
    assert (slope, bias) == (pytest.approx(1, abs=0.02), pytest.approx(0, abs=0.02))
    assert float(judged.mean()) == pytest.approx(float(scores.mean()), abs=0.01)


def test_every_choice_is_compared_on_rated_images() -> None:
    taught, given = distorted(blocks=len(ALL))
    rated, scores = distorted(seed=1, blocks=len(ALL))
    table = pd.DataFrame(compare(taught, given, rated, scores.numpy()))
    assert len(table) == 3 * len(PENALTIES)
    assert table["srcc"].min() > 0.9
    assert table["srcc_error"].between(0, 0.1).all()
