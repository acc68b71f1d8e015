"""Fits the probe to labelled images, and predicts with its regressions."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from grmp.features import Features
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings
from grmp.regression import Posterior, fit_bayes, stack
from grmp.settings import Finetune

Roots = Float[np.ndarray, "block e e"]


@dataclass(frozen=True)
class Regressions:
    """A Bayesian regression behind each block, on embeddings times that block's `roots`, and its share in their mean.

    Without a prior the roots are the identity.
    """

    each: list[Posterior]
    roots: Roots
    shares: Float[np.ndarray, " block"]

    def predict(
        self, test: Float[np.ndarray, "n block e"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "noise n"]]:
        """Predictions, and those under each level of noise, among which selection on the test part would choose."""
        rows = [one.predict_each(block @ root) for one, block, root in zip(self.each, test.swapaxes(0, 1), self.roots)]
        means = [one.odds @ by_noise for one, by_noise in zip(self.each, rows)]
        return self.shares @ np.stack(means), np.tensordot(self.shares, np.stack(rows), axes=1)


def regress(train: Float[np.ndarray, "k block e"], scores: Float[np.ndarray, " k"], roots: Roots | None) -> Regressions:
    """The regressions of labelled images' scores on their embeddings behind some blocks; `roots` are `prior_roots`.

    Of several blocks the first is trusted beforehand (`grmp.regression.stack`).
    """
    if roots is None:
        roots = np.broadcast_to(np.eye(train.shape[-1]), (train.shape[1], *2 * train.shape[-1:]))
    each = [fit_bayes(block @ root, scores) for block, root in zip(train.swapaxes(0, 1), roots, strict=True)]
    return Regressions(each, roots, stack(np.stack([one.left_out for one in each]), scores))


def fit_probe(seen: Features, scores: Float[Tensor, " k"], settings: Finetune, roots: Roots | None) -> Probe | None:
    """The probe of labelled images' scores on the mean of their views; None with a share of 0.

    With `roots`, which are `prior_roots`, its weights are expected to be as the prior says.

    Raises:
        UserError: the features were made without what the probe reads.
    """
    if not settings.probe_share:
        return None
    middle = seen.probed().numpy()
    found = regress(middle, scores.numpy(), roots)
    chosen = ProbeSettings(blocks=settings.probe_blocks, share=float(settings.probe_share), interval=True)
    probe = Probe(chosen, middle.shape[-1])
    weights, biases = zip(*(one.coefficients() for one in found.each))
    forms, noises = zip(*(one.margin(len(scores)) for one in found.each))
    shares, roots = found.shares[:, None, None], found.roots
    probe.centre.copy_(torch.from_numpy(middle.mean(axis=0)))
    probe.form.copy_(torch.from_numpy(shares**2 * (roots @ np.stack(forms) @ roots)))
    probe.noise.copy_(torch.from_numpy(found.shares**2 * np.array(noises)))
    probe.weight.copy_(torch.from_numpy((shares * roots @ np.stack(weights)[:, :, None])[..., 0]))
    probe.bias.fill_(float(found.shares @ np.array(biases)))
    return probe


def prior_roots(settings: Finetune, prior: Prior | None) -> Roots | None:
    """The roots of the weights' prior covariance, for `regress`; None without a `prior`, or where none is asked for.

    They take seconds, and serve any number of regressions.
    """
    return prior.root(settings.probe_prior) if prior and settings.probe_prior else None
