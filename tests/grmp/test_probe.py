import numpy as np
import pytest
import torch

from grmp.errors import UserError
from grmp.features import Features
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings
from grmp.probe_fit import fit_probe, prior_roots, regress
from grmp.regression import NOISES, fit_bayes, stack
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
def test_a_fitted_probe_is_the_stack_of_one_regression_behind_each_block(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior, strength: float
) -> None:
    own = {"probe_share": 1.0, "probe_prior": strength, "probe_blocks": BLOCKS}
    chosen, pooled = settings.finetune.model_copy(update=own), seen.middle.mean(dim=1)
    roots = prior.root(strength) if strength else np.stack([np.eye(16)] * 3)
    mapped = [block @ root for block, root in zip(pooled.numpy().swapaxes(0, 1), roots)]
    each = [fit_bayes(block, scores.numpy()) for block in mapped]
    expected = [one.odds @ one.predict_each(block) for one, block in zip(each, mapped)]
    shares = stack(np.stack([one.left_out for one in each]), scores.numpy())
    found = fit_probe(seen, scores, chosen, prior_roots(chosen, prior))(torch.zeros(9), pooled)
    np.testing.assert_allclose(found, shares @ np.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_cell_predicts_what_a_fitted_probe_does(
    seen: Features, scores: torch.Tensor, settings: Params, prior: Prior, strength: float
) -> None:
    own = {"probe_share": 1.0, "probe_prior": strength, "probe_blocks": BLOCKS}
    chosen, pooled = settings.finetune.model_copy(update=own), seen.middle.mean(dim=1)
    roots = prior_roots(chosen, prior)
    predicted, each = regress(pooled[:6].numpy(), scores[:6].numpy(), roots).predict(pooled[6:].numpy())
    few = Features(seen.tokens[:6], seen.embeddings[:6], seen.weights, seen.middle[:6])
    expected = fit_probe(few, scores[:6], chosen, roots)(torch.zeros(3), pooled[6:])
    np.testing.assert_allclose(predicted.clip(0, 1), expected, rtol=1e-4, atol=1e-5)
    assert each.shape == (len(NOISES), 3)


def test_a_block_that_knows_the_scores_gets_the_greater_share() -> None:
    draw = np.random.default_rng(0)
    train = draw.normal(size=(60, 3, 8))
    truth = train[:, 2] @ draw.normal(size=8)
    found = regress(train, truth, None)
    assert found.shares.argmax() == 2
    assert found.shares[2] > 0.8


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
