import pytest
import torch

from grmp.errors import UserError
from grmp.features import Features
from grmp.params import Params
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings, fit_probe
from grmp.ridge import fit_predict


@pytest.fixture
def seen() -> Features:
    middle = torch.nn.functional.normalize(torch.randn(9, 2, 16, generator=torch.Generator().manual_seed(1)), dim=-1)
    return Features(torch.zeros(9, 2, 1, 4), torch.zeros(9, 2, 16), middle)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.linspace(0.2, 0.8, 9)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_fitted_probe_predicts_as_the_ridge_does_with_its_prior(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior, strength: float
) -> None:
    chosen = settings.finetune.model_copy(update={"probe_share": 1.0, "probe_prior": strength})
    probe, pooled = fit_probe(seen, scores, chosen, prior), seen.middle.mean(dim=1)
    mapped = pooled.numpy() @ prior.root(strength) if strength else pooled.numpy()
    expected = torch.from_numpy(fit_predict(mapped, scores.numpy(), mapped))
    torch.testing.assert_close(probe(torch.zeros(9), pooled).double(), expected.double(), rtol=1e-4, atol=1e-5)


def test_the_probe_counts_by_its_share_and_stays_within_0_and_1() -> None:
    probe = Probe(ProbeSettings(block=2, share=0.25), 2)
    probe.weight.copy_(torch.tensor([4.0, -4.0]))
    probe.bias.fill_(0.5)
    middle = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert probe(torch.full((3,), 0.4), middle).tolist() == pytest.approx([0.55, 0.3, 0.425])


def test_without_a_share_there_is_no_probe(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior
) -> None:
    assert fit_probe(seen, scores, settings.finetune.model_copy(update={"probe_share": 0.0}), prior) is None


def test_features_without_what_it_reads_are_refused(scores: torch.Tensor, settings: Params, prior: Prior) -> None:
    with pytest.raises(UserError, match=r"finetune\.probe_block"):
        fit_probe(Features(torch.zeros(9, 2, 1, 4), torch.zeros(9, 2, 16)), scores, settings.finetune, prior)
