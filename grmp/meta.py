"""Meta-prompt pre-training (MPP): bi-level updates of the prompts over tasks, a task being one distortion type.

MAML (Finn et al., ICML 2017), its first-order form, Reptile (Nichol et al., 2018), and
`joint`, the control that ignores the tasks. Every task starts from the meta weights, with a fresh inner optimiser.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Prompts = dict[str, Tensor]
Loss = Callable[[Prompts, Any], Tensor]
"""Scalar loss of prompts on one batch."""
Algorithm = Literal["reptile", "fomaml", "maml", "joint"]

ADAM_BETAS, ADAM_EPS = (0.9, 0.999), 1e-8


class Task(NamedTuple):
    """Batches of one distortion type; no photograph is in both."""

    support: Any
    query: Any


class Inner(NamedTuple):
    """Steps, learning rate and optimiser of a task's adaptation."""

    steps: int
    rate: float
    optimiser: Literal["sgd", "adam"] = "sgd"


class Adapted(NamedTuple):
    """Prompts after adaptation, and the loss of every step before it was taken."""

    prompts: Prompts
    losses: list[Tensor]


def gradients(loss: Tensor, prompts: Prompts, create_graph: bool = False) -> Prompts:
    """Gradients of `loss` by name; zero where a prompt takes no part."""
    values = list(prompts.values())
    found = torch.autograd.grad(loss, values, create_graph=create_graph, materialize_grads=True, allow_unused=True)
    return dict(zip(prompts, found))


def inner_adapt(
    loss: Loss, prompts: Prompts, batches: Sequence[Any], inner: Inner, second_order: bool = False
) -> Adapted:
    """Adapt the prompts by `inner.steps` on each batch in turn; `second_order` keeps the graph back to `prompts`."""
    if not second_order:
        prompts = leaves(prompts)
    moments: list[Prompts] = []
    losses: list[Tensor] = []
    for step, batch in enumerate((batch for batch in batches for _ in range(inner.steps)), 1):
        value = loss(prompts, batch)
        losses.append(value.detach())
        slope = gradients(value, prompts, create_graph=second_order)
        if inner.optimiser == "adam":
            moments, slope = adam_direction(moments, slope, step)
        prompts = {name: value - inner.rate * slope[name] for name, value in prompts.items()}
        if not second_order:
            prompts = leaves(prompts)
    return Adapted(prompts, losses)


def adam_direction(moments: list[Prompts], slope: Prompts, step: int) -> tuple[list[Prompts], Prompts]:
    """Adam's bias-corrected direction (Kingma and Ba, 2015), written so that it can be differentiated."""
    before = moments or [{name: torch.zeros_like(value) for name, value in slope.items()}] * 2
    powers = (slope, {name: value**2 for name, value in slope.items()})
    after = [
        {name: beta * old[name] + (1 - beta) * new[name] for name in slope}
        for beta, old, new in zip(ADAM_BETAS, before, powers)
    ]
    mean, square = ({name: value / (1 - beta**step) for name, value in m.items()} for beta, m in zip(ADAM_BETAS, after))
    # eps under the root as well: the root alone has no derivative at zero, which a second-order gradient needs.
    return after, {name: mean[name] / ((square[name] + ADAM_EPS**2).sqrt() + ADAM_EPS) for name in slope}


def leaves(prompts: Prompts) -> Prompts:
    """The same values, cut from any graph, ready to be differentiated."""
    return {name: value.detach().requires_grad_() for name, value in prompts.items()}


class MetaGradient(NamedTuple):
    """The gradient for the outer optimiser, and the losses of the step, each a mean over tasks.

    `support` is before adaptation, `query` after it (before it for `joint`, which adapts nothing).
    """

    gradient: Prompts
    support: float
    query: float


def meta_gradient(
    loss: Loss, prompts: Prompts, tasks: Sequence[Task], algorithm: Algorithm, inner: Inner
) -> MetaGradient:
    """Mean over `tasks` of the gradient that `algorithm` defines, at the meta weights `prompts`.

    maml: of the query loss after adaptation, through the adaptation. fomaml: the same, taken at the adapted prompts.
    reptile: `theta - theta_i` after adaptation on support and query in turn. joint: of support and query at theta.

    Args:
        loss: scalar loss of prompts on one batch.
        prompts: meta weights by name; they are not changed.
        tasks: support and query batches, one task per distortion type.
        algorithm: the outer rule.
        inner: how a task adapts the prompts.

    >>> def loss(prompts, target):
    ...     return (prompts["context"] - target).square().sum() / 2
    >>> prompts, task = {"context": torch.zeros(1)}, Task(support=1.0, query=2.0)
    >>> meta_gradient(loss, prompts, [task], "fomaml", Inner(steps=1, rate=0.5))
    MetaGradient(gradient={'context': tensor([-1.5000])}, support=0.5, query=1.125)
    """
    prompts = leaves(prompts)
    total = {name: torch.zeros_like(value) for name, value in prompts.items()}
    losses = torch.zeros(2)
    for task in tasks:
        with differentiable_attention() if algorithm == "maml" else nullcontext():
            found, support, query = _RULES[algorithm](loss, prompts, task, inner)
        total = {name: value + found[name].detach() / len(tasks) for name, value in total.items()}
        losses += torch.stack([support.detach(), query.detach()]).cpu() / len(tasks)
    return MetaGradient(total, *losses.tolist())


def differentiable_attention() -> AbstractContextManager:
    """The one attention kernel that can be differentiated twice."""
    return sdpa_kernel(SDPBackend.MATH)


def _maml(loss: Loss, prompts: Prompts, task: Task, inner: Inner) -> tuple[Prompts, Tensor, Tensor]:
    adapted = inner_adapt(loss, prompts, [task.support], inner, second_order=True)
    query = loss(adapted.prompts, task.query)
    return gradients(query, prompts), adapted.losses[0], query


def _fomaml(loss: Loss, prompts: Prompts, task: Task, inner: Inner) -> tuple[Prompts, Tensor, Tensor]:
    adapted = inner_adapt(loss, prompts, [task.support], inner)
    query = loss(adapted.prompts, task.query)
    return gradients(query, adapted.prompts), adapted.losses[0], query


def _reptile(loss: Loss, prompts: Prompts, task: Task, inner: Inner) -> tuple[Prompts, Tensor, Tensor]:
    adapted = inner_adapt(loss, prompts, [task.support, task.query], inner)
    difference = {name: prompts[name] - value for name, value in adapted.prompts.items()}
    return difference, adapted.losses[0], adapted.losses[inner.steps]


def _joint(loss: Loss, prompts: Prompts, task: Task, inner: Inner) -> tuple[Prompts, Tensor, Tensor]:
    support, query = loss(prompts, task.support), loss(prompts, task.query)
    return gradients((support + query) / 2, prompts), support, query


_RULES = {"maml": _maml, "fomaml": _fomaml, "reptile": _reptile, "joint": _joint}
