"""The published code's pre-training: one run that is never reset, and its slow average."""

import copy

import pandas as pd
import pytest
import torch
from open_clip import CLIP
from torch import Tensor

from grmp.meta import Prompts
from grmp.model import prompted
from grmp.pretrain import TaskPool
from grmp.runtime import Runtime
from grmp.settings import Input, Pretrain
from study.params import Params
from study.stages.sequential import batches, pretrain_sequential, sets_of

GENERATOR = torch.Generator().manual_seed(8)
IMAGES = [torch.randint(0, 256, (3, 56, 56), dtype=torch.uint8, generator=GENERATOR) for _ in range(28)]
SIGHT = Input(views=(("native", 1),), crop=48)
SCORES = torch.rand(28, generator=GENERATOR)
POOLS = {  # two types of a first set, and one of a second
    "b:2": TaskPool([*range(7)], [7, 8, 9]),
    "b:1": TaskPool([*range(10, 17)], [17, 18]),
    "a:1": TaskPool([*range(19, 25)], [25, 26, 27]),
}


class Memory:
    """A store in memory, which refuses to be written more than `most` times: an interruption."""

    def __init__(self, most: int = 99) -> None:
        self.kept, self.most = None, most

    def read(self) -> tuple | None:
        return self.kept

    def write(self, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        self.most -= 1
        if self.most < 0:
            raise KeyboardInterrupt
        self.kept = about, {name: value.detach().clone() for name, value in tensors.items()}


@pytest.fixture
def section(settings: Params) -> Pretrain:
    published = {"algorithm": "sequential", "inner_optimiser": "adam", "inner_rate": 0.01, "outer_rate": 0.5}
    return settings.pretrain.model_copy(update=published | {"support": 3, "query": 2, "outer_steps": 2, "tasks": 25})


def run(
    clip: CLIP, settings: Params, section: Pretrain, runtime: Runtime, store: Memory | None = None, **changes: object
) -> tuple[Prompts, Prompts, pd.DataFrame]:
    """Prompts before and after, and the table."""
    torch.manual_seed(2)
    pools = changes.pop("pools", POOLS)
    model = prompted(clip, settings.prompts)
    before = {name: value.detach().clone() for name, value in model.prompt_parameters().items()}
    section, draws = section.model_copy(update=changes), torch.Generator().manual_seed(4)
    losses = pretrain_sequential(model, IMAGES, IMAGES, SCORES, pools, section, SIGHT, runtime, draws, store)
    return before, {name: value.detach().clone() for name, value in model.prompt_parameters().items()}, losses


def differ(one: Prompts, other: Prompts) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_the_run_is_never_reset_to_the_meta_weights(clip, settings, section, runtime) -> None:
    slow, fast = (run(clip, settings, section, runtime, outer_rate=rate, outer_steps=4) for rate in (0.001, 1.0))
    pd.testing.assert_frame_equal(slow[2], fast[2])  # where the meta weights go has no effect on the run
    assert differ(slow[1], fast[1]) > 1e-3


def test_the_meta_weights_go_their_share_of_the_way_to_the_mean_after_each_type(
    clip, settings, section, runtime
) -> None:
    one, two = {"b:2": POOLS["b:2"]}, {name: POOLS[name] for name in ("b:1", "b:2")}
    before, whole, _ = run(clip, settings, section, runtime, pools=one, outer_rate=1.0, outer_steps=1)
    _, part, _ = run(clip, settings, section, runtime, pools=one, outer_rate=0.25, outer_steps=1)
    assert differ(part, {name: value + (whole[name] - value) / 4 for name, value in before.items()}) < 1e-6
    kept: list[Prompts] = []
    spied = Memory()
    spied.write = lambda tensors, about: kept.append({name: value.detach().clone() for name, value in tensors.items()})
    before, mean, _ = run(clip, settings, section, runtime, spied, pools=two, outer_rate=1.0, outer_steps=1)
    _, first, _ = run(clip, settings, section, runtime, pools=two, outer_rate=1.0, outer_steps=1, tasks=1)
    last = {name: kept[-1][f"parameter {index}"] for index, name in enumerate(before)}
    assert differ(mean, {name: (first[name] + value) / 2 for name, value in last.items()}) < 1e-6
    assert differ(first, last) > 1e-3


def test_every_support_image_is_seen_once_a_type_and_a_query_batch_follows_each_batch(section) -> None:
    pool = POOLS["b:2"]
    found = list(batches(IMAGES, IMAGES, SCORES, pool, section, SIGHT, torch.Generator().manual_seed(1)))
    supports, queries = found[::2], found[1::2]
    assert [len(batch.indices) for batch in supports] == [3, 3, 1]
    assert sorted(index for batch in supports for index in batch.indices) == pool.support
    assert all(len(set(batch.indices)) == 2 and set(batch.indices) <= set(pool.query) for batch in queries)


def test_query_images_are_seen_whole_where_they_have_the_crops_size(section) -> None:
    small = [image[:, :48, :48] for image in IMAGES]
    for batch in list(batches(IMAGES, small, SCORES, POOLS["b:2"], section, SIGHT, torch.Generator()))[1::2]:
        assert all(torch.equal(seen, small[index]) for seen, index in zip(batch.images, batch.indices))
        assert torch.equal(batch.scores, SCORES[list(batch.indices)])


def test_sets_take_turns_in_their_order_with_all_their_types(clip, settings, section, runtime) -> None:
    assert sets_of(POOLS) == [("b", ["b:1", "b:2"]), ("a", ["a:1"])]
    assert sets_of({"2": POOLS["b:1"], "11": POOLS["b:2"]}) == [("", ["11", "2"])]
    _, _, losses = run(clip, settings, section, runtime, outer_steps=4)
    assert [set(types.split()) for types in losses["tasks"]] == [{"b:1", "b:2"}, {"a:1"}] * 2
    _, _, fewer = run(clip, settings, section, runtime, outer_steps=1, tasks=1)
    assert len(fewer["tasks"][0].split()) == 1


@pytest.mark.parametrize(
    ("lasting", "steps"),
    [
        ((), [6, 4, 6, 4]),  # fresh for every type: of 6 or 7 support images in threes, each with a query batch
        (("b",), [12, 4, 16, 4]),  # goes on within b, from what a's last type left
        (("a", "b"), [12, 16, 28, 32]),
    ],
)
def test_adams_state_lasts_within_the_named_sets_alone(
    clip, settings, section, runtime, monkeypatch, lasting: tuple[str, ...], steps: list[int]
) -> None:
    monkeypatch.setattr("grmp.training.TIMES", 0)
    seen, memory = [], Memory()
    memory.write = lambda tensors, about: seen.append(int(tensors["state 0 step"]))
    run(clip, settings, section, runtime, memory, lasting=lasting, outer_steps=4)
    assert seen == steps


def test_an_interrupted_run_goes_on_to_the_same_bits(clip, settings, section, runtime, monkeypatch) -> None:
    monkeypatch.setattr("grmp.training.TIMES", 0)
    whole, memory = run(clip, settings, section, runtime, outer_steps=4, lasting=("b",)), Memory(most=2)
    with pytest.raises(KeyboardInterrupt):
        run(clip, settings, section, runtime, memory, outer_steps=4, lasting=("b",))
    memory.most = 99
    again = run(clip, settings, section, runtime, memory, outer_steps=4, lasting=("b",))
    pd.testing.assert_frame_equal(again[2], whole[2])
    assert differ(again[1], whole[1]) == 0


def test_nothing_but_prompts_is_trained(clip, settings, section, runtime) -> None:
    weights = copy.deepcopy(clip.state_dict())
    before, after, _ = run(clip, settings, section, runtime)
    assert all(torch.equal(value, weights[name]) for name, value in clip.state_dict().items())
    assert all(not torch.equal(after[name], value) for name, value in before.items())
