from collections.abc import Callable

import pytest
import torch
from test_pretrain import IMAGES, SCORES, SIGHT

from grmp import pretrain, training
from grmp.model import PromptedCLIP
from grmp.pretrain import TaskPool
from grmp.runtime import Runtime
from grmp.training import Training
from study.params import Params
from study.stages import alignment

Result = tuple[list, dict[str, torch.Tensor]]


class Memory:
    """A store that keeps copies, and how often it was written to."""

    def __init__(self) -> None:
        self.kept, self.writes = None, 0

    def read(self) -> tuple[dict[str, str], dict[str, torch.Tensor]] | None:
        return self.kept

    def write(self, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
        self.kept = about, {name: value.detach().clone() for name, value in tensors.items()}
        self.writes += 1


class KilledError(Exception):
    """Stands in for SIGKILL."""


@pytest.fixture(autouse=True)
def _kept_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "TIMES", 0)


def check_same_bits(run: Callable[[Memory | None], Result], step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run` gives (losses, weights) is the same undisturbed, and stopped behind `step` and run again."""
    undisturbed, store, keep = run(None), Memory(), Training.keep

    def killing(self: Training, rows: list[tuple], last: bool) -> None:
        keep(self, rows, last)
        if len(rows) == step:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Training, "keep", killing)
        with pytest.raises(KilledError):
            run(store)
    assert store.writes == step
    found = run(store)
    assert found[0] == undisturbed[0]
    assert all(torch.equal(found[1][name], value) for name, value in undisturbed[1].items())
    writes = store.writes
    assert run(store)[0] == undisturbed[0]
    assert store.writes == writes  # all steps were done


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml"])
@pytest.mark.parametrize("step", [1, 3])
def test_pre_training_goes_on_to_the_same_bits(
    model: PromptedCLIP, settings: Params, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, algorithm: str, step: int
) -> None:
    chosen = settings.pretrain.model_copy(update={"algorithm": algorithm, "outer_steps": 4, "patches": 0.5})
    pools = {str(kind): TaskPool(list(range(kind, 8 + kind)), list(range(8 + kind, 16))) for kind in range(4)}
    start = {name: value.detach().clone() for name, value in model.prompt_parameters().items()}

    def run(store: Memory | None) -> Result:
        model.load_state_dict(start, strict=False)
        torch.manual_seed(3)  # dropout draws from the global generator
        draws = torch.Generator().manual_seed(5)
        losses = pretrain.pretrain(model, IMAGES, SCORES, pools, chosen, SIGHT, runtime, draws, store)
        weights = {name: value.detach().clone() for name, value in model.prompt_parameters().items()}
        return losses.to_numpy().tolist(), weights

    check_same_bits(run, step, monkeypatch)


@pytest.mark.parametrize("step", [1, 19])
def test_alignment_goes_on_to_the_same_bits(
    clip: torch.nn.Module, settings: Params, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    start = {name: value.clone() for name, value in clip.state_dict().items()}
    features = torch.nn.functional.normalize(torch.randn(3, 2, 16), dim=-1)
    chosen = settings.align.model_copy(update={"steps": 20})

    def run(store: Memory | None) -> Result:
        clip.load_state_dict(start)
        draws = torch.Generator().manual_seed(5)
        captions, scenes = ["a dog", "a street", "a tree"], torch.tensor([0, 1, 6])
        losses = alignment.train_text_tower(clip, features, captions, scenes, chosen, draws, store)
        return losses.to_numpy().tolist(), {name: value.clone() for name, value in clip.state_dict().items()}

    check_same_bits(run, step, monkeypatch)


def test_states_are_kept_as_rarely_as_they_are_dear_and_the_last_one_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "TIMES", 1e9)
    weight, store = torch.zeros(2, requires_grad=True), Memory()
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser)
    trained = Training(store, [weight], optimiser, schedule, torch.Generator())
    for rows in ([(1,)], [(1,), (2,)]):
        trained.keep(rows, last=False)
        assert trained.restore() == [(1,)]
    trained.keep([(1,), (2,)], last=True)
    assert trained.restore() == [(1,), (2,)]


def test_without_a_store_nothing_is_restored() -> None:
    weight = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.SGD([weight], lr=1.0)
    trained = Training(None, [weight], optimiser, torch.optim.lr_scheduler.LinearLR(optimiser), torch.Generator())
    trained.keep([(1,)], last=True)
    assert trained.restore() == []
