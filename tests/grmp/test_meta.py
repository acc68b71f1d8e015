import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from grmp.meta import Inner, Prompts, Task, differentiable_attention, inner_adapt, leaves, meta_gradient
from grmp.model import PromptedCLIP
from grmp.pretrain import Batch, make_loss
from grmp.runtime import Runtime

INNER = [Inner(1, 0.3, "sgd"), Inner(3, 0.3, "sgd"), Inner(3, 0.05, "adam")]


class Toy:
    """A regression with one hidden layer, in float64: curved enough that second order matters."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        self.prompts = {name: value.detach().clone() for name, value in self.net.named_parameters()}
        self.tasks = [Task(self.batch(), self.batch()) for _ in range(2)]

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)

    def loss(self, prompts: Prompts, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.mse_loss(functional_call(self.net, prompts, batch[0]), batch[1])


@pytest.fixture
def toy() -> Toy:
    return Toy()


def flat(prompts: Prompts) -> Tensor:
    return torch.cat([value.flatten() for value in prompts.values()])


def after_adaptation(loss, prompts: Prompts, tasks: list[Task], inner: Inner) -> Tensor:
    """MAML's objective: the mean query loss after adaptation to the support batch."""
    adapted = [inner_adapt(loss, prompts, [task.support], inner).prompts for task in tasks]
    return sum(loss(found, task.query) for found, task in zip(adapted, tasks, strict=True)).detach() / len(tasks)


def difference(loss, prompts: Prompts, tasks: list[Task], inner: Inner, along: Prompts, step: float) -> float:
    """Central finite difference of MAML's objective along a direction."""
    ahead, behind = (
        after_adaptation(
            loss, {name: value + sign * step * along[name] for name, value in prompts.items()}, tasks, inner
        )
        for sign in (1, -1)
    )
    return float(ahead - behind) / (2 * step)


@pytest.mark.parametrize("inner", INNER)
def test_mamls_gradient_agrees_with_finite_differences_in_every_coordinate(toy: Toy, inner: Inner) -> None:
    found = meta_gradient(toy.loss, toy.prompts, toy.tasks, "maml", inner).gradient
    for name, value in toy.prompts.items():
        for place in range(value.numel()):
            along = {key: torch.zeros_like(other) for key, other in toy.prompts.items()}
            along[name].view(-1)[place] = 1
            expected = difference(toy.loss, toy.prompts, toy.tasks, inner, along, 1e-5)
            assert found[name].flatten()[place].item() == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("inner", INNER)
def test_fomamls_gradient_is_the_querys_at_the_adapted_prompts_and_not_mamls(toy: Toy, inner: Inner) -> None:
    expected = {name: torch.zeros_like(value) for name, value in toy.prompts.items()}
    for task in toy.tasks:
        adapted = inner_adapt(toy.loss, toy.prompts, [task.support], inner).prompts
        slope = torch.autograd.grad(toy.loss(adapted, task.query), list(adapted.values()))
        expected = {name: value + part / 2 for (name, value), part in zip(expected.items(), slope, strict=True)}
    found, maml = (
        flat(meta_gradient(toy.loss, toy.prompts, toy.tasks, name, inner).gradient) for name in ("fomaml", "maml")
    )
    torch.testing.assert_close(found, flat(expected))
    assert (found - maml).norm() > 0.01 * maml.norm()


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("steps", [1, 3])
def test_reptiles_gradient_is_the_way_that_torchs_optimiser_goes(toy: Toy, optimiser: str, steps: int) -> None:
    total = torch.zeros_like(flat(toy.prompts))
    for task in toy.tasks:
        prompts = leaves({name: value.clone() for name, value in toy.prompts.items()})
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser]
        torchs = kind(prompts.values(), lr=0.05)
        for batch in [task.support] * steps + [task.query] * steps:
            torchs.zero_grad()
            toy.loss(prompts, batch).backward()
            torchs.step()
        total += (flat(toy.prompts) - flat(prompts).detach()) / 2
    found = meta_gradient(toy.loss, toy.prompts, toy.tasks, "reptile", Inner(steps, 0.05, optimiser)).gradient
    torch.testing.assert_close(flat(found), total, rtol=1e-6, atol=1e-9)


def test_joints_gradient_is_plain_autograds(toy: Toy) -> None:
    prompts = leaves(toy.prompts)
    mean = sum(toy.loss(prompts, batch) for task in toy.tasks for batch in task) / 4
    mean.backward()
    found = meta_gradient(toy.loss, toy.prompts, toy.tasks, "joint", INNER[0])
    torch.testing.assert_close(flat(found.gradient), torch.cat([value.grad.flatten() for value in prompts.values()]))


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("algorithm", ["maml", "fomaml", "reptile", "joint"])
def test_every_task_starts_from_the_meta_weights(toy: Toy, algorithm: str, inner: Inner) -> None:
    alone = [flat(meta_gradient(toy.loss, toy.prompts, [task], algorithm, inner).gradient) for task in toy.tasks]
    for tasks in (toy.tasks, toy.tasks[::-1]):
        found = flat(meta_gradient(toy.loss, toy.prompts, tasks, algorithm, inner).gradient)
        torch.testing.assert_close(found, sum(alone) / 2)


@pytest.mark.parametrize("algorithm", ["maml", "fomaml", "reptile", "joint"])
def test_the_prompts_that_come_in_are_not_changed(toy: Toy, algorithm: str) -> None:
    before = flat(toy.prompts).clone()
    found = meta_gradient(toy.loss, toy.prompts, toy.tasks, algorithm, INNER[1])
    assert torch.equal(flat(toy.prompts), before)
    assert all(value.grad is None and not value.requires_grad for value in toy.prompts.values())
    assert not any(value.requires_grad for value in found.gradient.values())


@pytest.mark.parametrize("algorithm", ["maml", "fomaml", "reptile", "joint"])
def test_the_losses_are_those_before_and_after_adaptation(toy: Toy, algorithm: str) -> None:
    inner = Inner(2, 0.1, "sgd")
    found = meta_gradient(toy.loss, toy.prompts, toy.tasks, algorithm, inner)
    before = sum(toy.loss(toy.prompts, task.support).item() for task in toy.tasks) / 2
    after = after_adaptation(toy.loss, toy.prompts, toy.tasks, Inner(0, 0.1) if algorithm == "joint" else inner)
    assert found.support == pytest.approx(before, rel=1e-5)
    assert found.query == pytest.approx(float(after), rel=1e-5)


@pytest.mark.parametrize("second_order", [False, True])
def test_adaptation_lowers_the_support_loss(toy: Toy, second_order: bool) -> None:
    support = toy.tasks[0].support
    adapted = inner_adapt(toy.loss, leaves(toy.prompts), [support], Inner(5, 0.05, "sgd"), second_order)
    assert toy.loss(adapted.prompts, support) < adapted.losses[0]


@pytest.mark.parametrize("algorithm", ["maml", "fomaml", "reptile", "joint"])
def test_a_prompt_that_takes_no_part_gets_a_zero_gradient(toy: Toy, algorithm: str) -> None:
    prompts = toy.prompts | {"unused": torch.ones(2, dtype=torch.float64)}

    def loss(values: Prompts, batch: tuple[Tensor, Tensor]) -> Tensor:
        return toy.loss({name: value for name, value in values.items() if name != "unused"}, batch)

    for inner in INNER:
        found = meta_gradient(loss, prompts, toy.tasks, algorithm, inner).gradient
        assert found["unused"].tolist() == [0.0, 0.0]


def test_maml_with_adam_is_finite_where_a_slope_is_zero(toy: Toy) -> None:
    prompts = toy.prompts | {"0.weight": torch.zeros_like(toy.prompts["0.weight"])}
    tasks = [Task((torch.zeros_like(task.support[0]), task.support[1]), task.query) for task in toy.tasks]
    found = meta_gradient(toy.loss, prompts, tasks, "maml", Inner(2, 0.05, "adam")).gradient
    assert torch.isfinite(flat(found)).all()


@pytest.mark.parametrize("inner", [Inner(1, 0.5, "sgd"), Inner(2, 0.01, "adam")])
def test_mamls_gradient_holds_for_the_prompted_clip(
    model: PromptedCLIP, runtime: Runtime, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The towers hand out float32, too coarse for finite differences: here `.float()` leaves float64 alone.
    monkeypatch.setattr(Tensor, "float", lambda value: value)
    loss = make_loss(model.double(), runtime)
    prompts = {name: value.detach() for name, value in model.prompt_parameters().items()}
    tasks = [Task(*(Batch(*batch) for batch in task)) for task in torch_batches(2)]
    found, first_order = (meta_gradient(loss, prompts, tasks, name, inner).gradient for name in ("maml", "fomaml"))
    along = {name: torch.randn_like(value) for name, value in prompts.items()}
    # Adam's direction bends within a slope's own size, about 1e-7 here: hence the small step.
    with differentiable_attention():
        expected = difference(loss, prompts, tasks, inner, along, 1e-8)
    assert float(flat(found) @ flat(along)) == pytest.approx(expected, rel=1e-5)
    assert float(flat(first_order) @ flat(along)) != pytest.approx(expected, rel=1e-3)


def torch_batches(tasks: int) -> list[list[tuple[Tensor, Tensor]]]:
    return [
        [(torch.randint(256, (2, 3, 48, 48), dtype=torch.uint8), torch.rand(2, dtype=torch.float64)) for _ in range(2)]
        for _ in range(tasks)
    ]
