import numpy as np
import pytest
import torch

from grmp.errors import UserError
from grmp.features import Features
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings
from grmp.probe_fit import fit_probe, prior_roots, regress
from grmp.regression import ALPHAS, NOISES, fit_bayes, fit_predict, predict_each
from study.params import Params

BLOCKS = (1, 2, 3)


@pytest.fixture
def seen() -> Features:
    middle = torch.nn.functional.normalize(torch.randn(9, 2, 3, 16, generator=torch.Generator().manual_seed(1)), dim=-1)
    return Features(torch.zeros(9, 2, 1, 4), torch.zeros(9, 2, 16), torch.full((2,), 0.5), middle)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.linspace(0.2, 0.8, 9)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_fitted_probe_is_the_mean_of_one_regression_behind_each_block(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior, strength: float
) -> None:
    own = {"probe_share": 1.0, "probe_prior": strength, "probe_blocks": BLOCKS}
    chosen, pooled = settings.finetune.model_copy(update=own), seen.middle.mean(dim=1)
    blocks = pooled.numpy().swapaxes(0, 1)
    if strength:
        mapped = [block @ root for block, root in zip(blocks, prior.root(strength))]
        each = [fit_bayes(block, scores.numpy()) for block in mapped]
        expected = [one.odds @ one.predict_each(block) for one, block in zip(each, mapped)]
    else:
        expected = [fit_predict(block, scores.numpy(), block) for block in blocks]
    found = fit_probe(seen, scores, chosen, prior_roots(chosen, prior))(torch.zeros(9), pooled)
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_cell_predicts_what_a_fitted_probe_does(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior, strength: float
) -> None:
    own = {"probe_share": 1.0, "probe_prior": strength, "probe_blocks": BLOCKS}
    chosen, pooled = settings.finetune.model_copy(update=own), seen.middle.mean(dim=1)
    given = pooled[:6].numpy(), scores[:6].numpy(), pooled[6:].numpy()
    roots = prior_roots(chosen, prior)
    predicted, each = regress(*given, chosen, roots)
    few = Features(seen.tokens[:6], seen.embeddings[:6], seen.weights, seen.middle[:6])
    expected = fit_probe(few, scores[:6], chosen, roots)(torch.zeros(3), pooled[6:])
    np.testing.assert_allclose(predicted.clip(0, 1), expected, rtol=1e-4, atol=1e-5)
    assert each.shape == (len(NOISES if strength else ALPHAS), 3)


def test_without_a_prior_the_regressions_are_ridges(seen: Features, scores: torch.Tensor, settings: Params) -> None:
    blocks = seen.middle.mean(dim=1)[:, :1].numpy()
    predicted, each = regress(blocks, scores.numpy(), blocks, settings.finetune, None)
    np.testing.assert_array_equal(predicted, fit_predict(blocks[:, 0], scores.numpy(), blocks[:, 0]))
    np.testing.assert_array_equal(each, predict_each(blocks[:, 0], scores.numpy(), blocks[:, 0]))


def test_the_probe_counts_by_its_share_and_stays_within_0_and_1() -> None:
    probe = Probe(ProbeSettings(blocks=(2, 3), share=0.25), 2)
    probe.weight.copy_(torch.tensor([[4.0, -4.0], [0.0, 0.2]]))
    probe.bias.fill_(0.5)
    middle = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    assert probe(torch.full((3,), 0.4), middle).tolist() == pytest.approx([0.55, 0.3, 0.475])


def test_without_a_share_there_is_no_probe(seen: Features, scores: torch.Tensor, settings: Params) -> None:
    assert fit_probe(seen, scores, settings.finetune.model_copy(update={"probe_share": 0.0}), None) is None


def test_features_without_what_it_reads_are_refused(scores: torch.Tensor, settings: Params) -> None:
    with pytest.raises(UserError, match=r"finetune\.probe_blocks"):
        fit_probe(
            Features(torch.zeros(9, 2, 1, 4), torch.zeros(9, 2, 16), torch.full((2,), 0.5)),
            scores,
            settings.finetune,
            None,
        )
