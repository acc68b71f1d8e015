from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_pretrain import IMAGES, SCORES

from grmp import align, pretrain
from grmp import training as resume
from grmp.io.paths import UNFINISHED_VARIABLE
from grmp.model import PromptedCLIP
from grmp.pretrain import TaskPool
from grmp.runtime import Runtime
from study.params import Params


class Killed(BaseException):
    """Stands in for SIGKILL: nothing is tidied up after it."""


@pytest.fixture
def killed_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv(UNFINISHED_VARIABLE, str(tmp_path / "unfinished"))
    monkeypatch.setattr(resume, "TIMES", 0)
    return monkeypatch


def stop_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let training be killed once the state after `step` is kept."""
    keep = resume.Training.keep

    def killing(self: resume.Training, rows: list[tuple], last: bool) -> None:
        keep(self, rows, last)
        if len(rows) == step:
            raise Killed

    patch.setattr(resume.Training, "keep", killing)


def check_same_bits(run: Callable[[], tuple[list, dict]], step: int, killed_after: pytest.MonkeyPatch) -> None:
    """What `run` gives (losses, weights) is the same undisturbed, and killed at `step` and run again."""
    with killed_after.context() as patch:
        patch.delenv(UNFINISHED_VARIABLE)
        undisturbed = run()
    with killed_after.context() as patch:
        stop_at(step, patch)
        with pytest.raises(Killed):
            run()
    found = run()
    assert found[0] == undisturbed[0]
    assert all(torch.equal(found[1][name], value) for name, value in undisturbed[1].items())


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml"])
@pytest.mark.parametrize("step", [1, 3])
def test_pre_training_goes_on_to_the_same_bits(
    model: PromptedCLIP, settings: Params, runtime: Runtime, killed_after: pytest.MonkeyPatch, algorithm: str, step: int
) -> None:
    chosen = settings.pretrain.model_copy(update={"algorithm": algorithm, "outer_steps": 4})
    pools = {str(kind): TaskPool(list(range(kind, 8 + kind)), list(range(8 + kind, 16))) for kind in range(4)}
    start = {name: value.detach().clone() for name, value in model.prompt_parameters().items()}

    def run() -> tuple[list, dict[str, torch.Tensor]]:
        model.load_state_dict(start, strict=False)
        torch.manual_seed(3)  # dropout draws from the global generator
        draws = torch.Generator().manual_seed(5)
        losses = pretrain.pretrain(model, IMAGES, SCORES, pools, chosen, 48, runtime, draws)
        return losses.to_numpy().tolist(), {n: v.detach().clone() for n, v in model.prompt_parameters().items()}

    check_same_bits(run, step, killed_after)


@pytest.mark.parametrize("step", [1, 20])
def test_alignment_goes_on_to_the_same_bits(
    clip: torch.nn.Module, settings: Params, killed_after: pytest.MonkeyPatch, step: int
) -> None:
    start = {name: value.clone() for name, value in clip.state_dict().items()}
    features = torch.nn.functional.normalize(torch.randn(3, 2, 16), dim=-1)

    def run() -> tuple[list, dict[str, torch.Tensor]]:
        clip.load_state_dict(start)
        draws = torch.Generator().manual_seed(5)
        chosen = settings.align.model_copy(update={"steps": 20})
        captions, scenes = ["a dog", "a street", "a tree"], torch.tensor([0, 1, 6])
        losses = align.train_text_tower(clip, features, captions, scenes, chosen, draws)
        return losses.to_numpy().tolist(), {name: value.clone() for name, value in clip.state_dict().items()}

    check_same_bits(run, step, killed_after)


def test_checkpoints_are_as_rare_as_they_are_dear(killed_after: pytest.MonkeyPatch) -> None:
    killed_after.setattr(resume, "TIMES", 1e9)
    weight = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser)
    training = resume.Training(resume.Journal("x"), [weight], optimiser, schedule, torch.Generator())
    for rows, last in (([(1,)], False), ([(1,), (2,)], False)):
        training.keep(rows, last)
        assert training.restore() == [(1,)]
    training.keep([(1,), (2,)], last=True)
    assert training.restore() == [(1,), (2,)]
