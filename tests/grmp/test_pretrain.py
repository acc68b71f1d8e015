import copy

import pandas as pd
import pytest
import torch

from grmp import pretrain as module
from grmp.crops import to_float
from grmp.errors import UserError
from grmp.model import PromptedCLIP, quality_loss
from grmp.pretrain import TaskPool, draw_batch, draw_patches, make_loss, make_optimiser, pretrain
from grmp.runtime import Runtime
from grmp.settings import Input
from study.params import Params

PHOTOGRAPHS = 8
MANIFEST = pd.DataFrame(
    [(f"p{n}", kind) for kind in ("1", "2", "10") for n in range(PHOTOGRAPHS)], columns=["photograph", "distortions"]
)
HELD_OUT = {"p0", "p1", "p2"}
# Every image is of one brightness, which gives its place in the manifest; its score rises with it.
IMAGES = [torch.full((3, 50, 60), 10 * place, dtype=torch.uint8) for place in range(len(MANIFEST))]
SCORES = torch.linspace(0.05, 0.95, len(MANIFEST))
SIGHT = Input(views=(("native", 1),), crop=48)
POOLS = {
    kind: TaskPool(support=rows.index[3:].tolist(), query=rows.index[:3].tolist())
    for kind, rows in MANIFEST.groupby("distortions")
}


@pytest.fixture
def train(runtime: Runtime, settings: Params):
    def run(model: PromptedCLIP, seed: int = 1, **changes: object) -> pd.DataFrame:
        torch.manual_seed(3)  # of the dropout
        chosen, draws = settings.pretrain.model_copy(update=changes), torch.Generator().manual_seed(seed)
        return pretrain(model, IMAGES, SCORES, POOLS, chosen, SIGHT, runtime, draws)

    return run


def test_a_batch_has_distinct_images_of_the_pool_with_their_own_scores() -> None:
    indices, generator = [3, 5, 8, 13], torch.Generator().manual_seed(1)
    batch = draw_batch(IMAGES, SCORES, indices, 3, SIGHT, generator)
    drawn = (batch.images[:, 0, 0, 0] // 10).tolist()
    assert batch.images.shape == (3, 3, 48, 48)
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(indices)
    assert torch.equal(batch.scores, SCORES[drawn])


def test_a_small_pool_is_drawn_whole() -> None:
    batch = draw_batch(IMAGES, SCORES, [3, 5], 9, SIGHT, torch.Generator().manual_seed(1))
    assert sorted(batch.scores.tolist()) == SCORES[[3, 5]].tolist()


def test_tasks_are_distinct_types_with_disjoint_photographs(
    model: PromptedCLIP, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(loss, prompts, tasks, *rest):
        seen.append(tasks)
        assert model.visual_prompt.dropout.training
        return found(loss, prompts, tasks, *rest)

    found = module.meta_gradient
    monkeypatch.setattr(module, "meta_gradient", spy)
    log = train(model, outer_steps=4)
    for tasks, names in zip(seen, log["tasks"], strict=True):
        kinds = []
        for task in tasks:
            support, query = (MANIFEST.loc[(b.images[:, 0, 0, 0] // 10).tolist()] for b in task)
            assert set(query["photograph"]) <= HELD_OUT
            assert not set(support["photograph"]) & HELD_OUT
            assert support["distortions"].nunique() == query["distortions"].nunique() == 1
            kinds.append(support["distortions"].iloc[0])
            assert query["distortions"].iloc[0] == kinds[-1]
        assert names.split() == kinds
        assert len(set(kinds)) == 2


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("algorithm", ["reptile", "fomaml", "maml", "joint"])
def test_every_algorithm_trains_the_prompts_and_nothing_else(
    model: PromptedCLIP, train, algorithm: str, optimiser: str
) -> None:
    before = copy.deepcopy(model.state_dict())
    rate = 1.0 if algorithm == "reptile" else 0.003
    log = train(model, algorithm=algorithm, inner_optimiser=optimiser, outer_steps=2, outer_rate=rate)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(model.prompt_parameters())
    assert all(torch.isfinite(value).all() for value in model.prompt_parameters().values())
    assert list(log.columns) == ["step", "support", "query", "tasks"]
    assert log["step"].tolist() == [1, 2]
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml", "maml", "joint"])
def test_the_loss_goes_down_where_there_is_something_to_learn(model: PromptedCLIP, train, algorithm: str) -> None:
    def loss() -> float:
        crops = to_float(torch.stack([image[:, :48, :48] for image in IMAGES]))
        with torch.no_grad():
            return quality_loss(model.eval()(crops).logit(), SCORES).item()

    rates = {"outer_rate": 0.03}
    if algorithm == "reptile":
        rates = {"outer_rate": 1.0, "inner_rate": 0.01, "inner_optimiser": "adam"}
    before, constant = loss(), quality_loss(SCORES.mean().logit().expand(len(SCORES)), SCORES).item()
    train(model, algorithm=algorithm, outer_steps=25, support=5, **rates)
    assert loss() < before - 0.01
    assert loss() < constant - 0.01  # more than the mean score was learnt


def test_training_sees_the_share_of_patches_that_is_asked_for(
    model: PromptedCLIP, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, run = [], PromptedCLIP.embed_from
    monkeypatch.setattr(
        PromptedCLIP, "embed_from", lambda self, x, start: seen.append(x.shape[1] - 1) or run(self, x, start)
    )
    for share in (1.0, 0.5):
        train(model, patches=share, outer_steps=1)
    assert sorted(set(seen)) == [4, 9]  # of 3 x 3


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_training_follows_the_seed(model: PromptedCLIP, train, seed: int, same: bool) -> None:
    other = copy.deepcopy(model)
    logs = train(model, seed=1), train(other, seed=seed)
    assert logs[0].equals(logs[1]) == same
    tokens = [found.visual_prompt.tokens for found in (model, other)]
    assert torch.equal(*tokens) == same


@pytest.mark.parametrize("steps", [1, 4])
def test_reptiles_outer_step_is_the_plain_one_with_a_rate_that_falls_linearly(settings: Params, steps: int) -> None:
    prompt = torch.tensor([1.0, 2.0], requires_grad=True)
    chosen = settings.pretrain.model_copy(update={"algorithm": "reptile", "outer_rate": 0.5, "outer_steps": steps})
    optimiser, schedule = make_optimiser({"a": prompt}, chosen)
    for step in range(steps):
        before, rate = prompt.detach().clone(), 0.5 * (1 - step / steps)
        prompt.grad = torch.tensor([1.0, -1.0])
        optimiser.step()
        schedule.step()
        assert (prompt - before).tolist() == pytest.approx([-rate, rate])


def test_the_loss_is_a_function_of_the_prompts_that_it_is_given(model: PromptedCLIP, runtime: Runtime) -> None:
    loss, batch = (
        make_loss(model, runtime),
        draw_batch(IMAGES, SCORES, [1, 9], 2, SIGHT, torch.Generator().manual_seed(1)),
    )
    own = {name: value.detach() for name, value in model.prompt_parameters().items()}
    other = {name: value + 0.3 * torch.randn_like(value) for name, value in own.items()}
    before = loss(own, batch)
    assert abs(loss(other, batch) - before) > 1e-4
    assert loss(own, batch) == before  # the model itself was not changed


def test_drawn_patches_are_a_share_of_each_images_without_repetition() -> None:
    found = draw_patches(torch.Size((5, 3, 64, 48)), 16, 0.5, torch.Generator().manual_seed(1))
    assert found.shape == (5, 6)  # of 4 x 3
    assert all(len(set(row)) == 6 and min(row) >= 0 and max(row) < 12 for row in found.tolist())
    assert len({tuple(sorted(row)) for row in found.tolist()}) > 1  # each image its own
    assert draw_patches(torch.Size((2, 3, 64, 48)), 16, 0.01, torch.Generator()).shape == (2, 1)


def test_a_loss_of_some_patches_follows_the_generator_and_one_of_all_draws_nothing(
    model: PromptedCLIP, runtime: Runtime
) -> None:
    batch = draw_batch(IMAGES, SCORES, [1, 9], 2, SIGHT, torch.Generator().manual_seed(1))
    own = {name: value.detach() for name, value in model.prompt_parameters().items()}
    one, again = (make_loss(model, runtime, 0.5, torch.Generator().manual_seed(2)) for _ in range(2))
    first, second = one(own, batch), one(own, batch)
    assert [first, second] == [again(own, batch), again(own, batch)]
    assert first != second  # drawn anew each time
    generator = torch.Generator().manual_seed(2)
    state = generator.get_state()
    assert make_loss(model, runtime, 1.0, generator)(own, batch) == make_loss(model, runtime)(own, batch)
    assert torch.equal(generator.get_state(), state)


def test_bf16_is_close_to_float32(model: PromptedCLIP) -> None:
    crops = torch.rand(3, 3, 48, 48)
    with torch.no_grad(), Runtime(torch.device("cpu"), "bf16").autocast():
        rough = model.eval()(crops)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, model(crops), rtol=0, atol=0.05)


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml", "maml", "joint"])
def test_a_loss_that_is_none_stops_with_the_step_its_tasks_and_images(
    model: PromptedCLIP, train, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setitem(globals(), "SCORES", SCORES.clone().fill_(float("nan")))
    with pytest.raises(UserError, match=r"pre-train: step 1: .*support nan.*distortion type \d+, rows [\d, ]+ of man"):
        train(model, algorithm=algorithm)


def test_the_sequential_run_has_no_meta_gradient(model: PromptedCLIP, train) -> None:
    with pytest.raises(UserError, match=r"pretrain\.algorithm: sequential"):
        train(model, algorithm="sequential")


@pytest.mark.parametrize("changes", [{"split": "images"}, {"labels": "stretched"}])
def test_the_published_deal_belongs_to_the_sequential_run(model: PromptedCLIP, train, changes: dict[str, str]) -> None:
    with pytest.raises(UserError, match="for algorithm: sequential alone"):
        train(model, **changes)
