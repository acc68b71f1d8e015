"""Fits the probe to labelled images, and predicts with its regressions."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from grmp import regression
from grmp.features import Features
from grmp.prior import Prior
from grmp.probe import Probe, ProbeSettings
from grmp.settings import Finetune

Roots = Float[np.ndarray, "block e e"]


def fit_probe(seen: Features, scores: Float[Tensor, " k"], settings: Finetune, roots: Roots | None) -> Probe | None:
    """The probe of labelled images' scores on the mean of their views; None with a share of 0.

    With `roots`, which are `prior_roots`, its weights are expected to be as the prior says.

    Raises:
        UserError: the features were made without what the probe reads.
    """
    if not settings.probe_share:
        return None
    middle = seen.probed().transpose(0, 1).numpy()
    share = float(settings.probe_share)
    chosen = ProbeSettings(blocks=settings.probe_blocks, share=share, interval=roots is not None)
    probe = Probe(chosen, middle.shape[-1])
    if roots is None:
        found = [regression.coefficients(block, scores.numpy(), settings.standardise) for block in middle]
    else:
        fitted = [regression.fit_bayes(block @ root, scores.numpy()) for block, root in zip(middle, roots, strict=True)]
        mapped = [one.coefficients() for one in fitted]
        found = [(root @ weight, bias) for (weight, bias), root in zip(mapped, roots)]
        forms, noise = zip(*(one.margin(len(scores)) for one in fitted))
        probe.centre.copy_(torch.from_numpy(middle.mean(axis=1)))
        probe.form.copy_(torch.from_numpy(roots @ np.stack(forms) @ roots))
        probe.noise.copy_(torch.tensor(noise))
    probe.weight.copy_(torch.from_numpy(np.stack([weight for weight, _ in found]) / len(found)))
    probe.bias.fill_(float(np.mean([bias for _, bias in found])))
    return probe


def regress(
    train: Float[np.ndarray, "k block e"],
    scores: Float[np.ndarray, " k"],
    test: Float[np.ndarray, "n block e"],
    settings: Finetune,
    roots: Roots | None,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "strength n"]]:
    """Predictions for `test`, the mean of one regression behind each block, and those of every strength.

    With `roots`, which are `prior_roots`, they are Bayesian, and ridge regressions otherwise.
    """
    each = list(zip(train.swapaxes(0, 1), test.swapaxes(0, 1)))
    if roots is None:
        given = [(few, scores, many, settings.standardise) for few, many in each]
        found = [(regression.fit_predict(*one), regression.predict_each(*one)) for one in given]
    else:
        fitted = [
            (regression.fit_bayes(few @ root, scores), many @ root)
            for (few, many), root in zip(each, roots, strict=True)
        ]
        rows = [(one, one.predict_each(many)) for one, many in fitted]
        found = [(one.odds @ each_noise, each_noise) for one, each_noise in rows]
    means, strengths = zip(*found)
    return np.mean(means, axis=0), np.mean(strengths, axis=0)


def prior_roots(settings: Finetune, prior: Prior | None) -> Roots | None:
    """The roots of the weights' prior covariance, for `regress`; None without a `prior`, or where none is asked for.

    They take seconds, and serve any number of regressions.
    """
    return prior.root(settings.probe_prior) if prior and settings.probe_prior else None
