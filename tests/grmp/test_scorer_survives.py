"""What other people's tools do with a module leaves a scorer's scores as they are."""

import copy
import io
import pickle

import pytest
import torch

from grmp.probe import Probe, ProbeSettings
from grmp.scoring.scorer import Scorer


@pytest.fixture(params=["alone", "with a probe"])
def scorer(request: pytest.FixtureRequest, scorer: Scorer) -> Scorer:
    if request.param == "alone":
        return scorer
    probe = Probe(ProbeSettings(blocks=(1, 2), share=0.5), 16)
    probe.weight.copy_(torch.randn(2, 16) / 4)
    return Scorer(scorer.model, scorer.view, probe)


def saved(scorer: Scorer) -> Scorer:
    file = io.BytesIO()
    torch.save(scorer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def refilled(scorer: Scorer) -> Scorer:
    """One whose weights were lost, and came back as a state dict."""
    other = copy.deepcopy(scorer)
    for value in other.state_dict().values():
        value.zero_()
    assert not torch.equal(other(torch.rand(1, 3, 64, 64)), scorer(torch.rand(1, 3, 64, 64)))
    other.load_state_dict(scorer.state_dict())
    return other


@pytest.mark.parametrize(
    "through",
    [
        copy.copy,
        copy.deepcopy,
        lambda scorer: pickle.loads(pickle.dumps(scorer)),
        saved,
        refilled,
        torch.nn.DataParallel,
    ],
    ids=["copy", "deepcopy", "pickle", "torch.save", "state_dict", "DataParallel"],
)
def test_its_scores_stay(scorer: Scorer, through) -> None:
    images = torch.rand(2, 3, 64, 80)
    other = through(scorer)
    assert other is not scorer
    assert torch.equal(other(images), scorer(images))


def test_its_copies_share_nothing_and_stay_frozen_in_evaluation_mode(scorer: Scorer) -> None:
    other = pickle.loads(pickle.dumps(scorer))
    assert {value.data_ptr() for value in other.parameters()}.isdisjoint(
        value.data_ptr() for value in scorer.parameters()
    )
    assert not any(weight.requires_grad for weight in other.train().parameters())
    assert not any(module.training for module in other.modules())


def test_it_is_compiled_with_its_check_of_values(scorer: Scorer) -> None:
    images = torch.rand(2, 3, 64, 80)
    compiled = torch.compile(scorer, backend="aot_eager")  # inductor would want a C++ compiler
    torch.testing.assert_close(compiled(images), scorer(images), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="floats in"):
        compiled(255 * images)


def test_it_is_exported_without_its_check_of_values(scorer: Scorer) -> None:
    images = torch.rand(2, 3, 64, 80)
    exported = torch.export.export(scorer, (images,)).module()
    torch.testing.assert_close(exported(images), scorer(images), rtol=1e-4, atol=1e-5)
