import pandas as pd
import pytest
import torch

from grmp import features
from grmp.crops import to_float
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from grmp.settings import Input
from study.data.tasks import TaskSet
from study.reports.pretraining_figures import query_plot, task_plot
from study.reports.stage_findings import pretrain_findings
from study.stages.pretraining import Pretrained, _predict

SIGHT = Input(views=((48, 1),), crop=48)
SCORES = torch.tensor([0.1, 0.4, 0.6, 0.9])
TASKS = TaskSet([], SCORES, pd.DataFrame({"distortions": ["1", "1", "1+2", "2"]}), set())
LOSSES = pd.DataFrame({"step": range(10), "query": [1.0] * 5 + [0.5] * 5})
DONE = Pretrained(None, LOSSES, TASKS.manifest.index, torch.tensor([0.1, 0.2, 0.9, 0.7]))


def test_predictions_do_not_depend_on_the_batch_and_leave_dropout_off(
    model: PromptedCLIP, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = torch.randint(0, 256, (5, 1, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = _predict(model.train(), crops, SIGHT, runtime)
    assert whole.shape == (5,)
    monkeypatch.setattr(features, "BATCH", 2)
    torch.testing.assert_close(_predict(model, crops, SIGHT, runtime), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.eval()(to_float(crops[:, 0])), whole, rtol=1e-5, atol=1e-6)


def test_numbers_are_of_the_query_images() -> None:
    numbers = DONE.numbers(TASKS)
    assert numbers["query_srcc"] == pytest.approx(0.8)
    assert (numbers["query_loss_first"], numbers["query_loss_last"]) == (1.0, 0.5)


def test_a_mixture_counts_in_each_of_its_tasks() -> None:
    ranks = DONE.ranks(TASKS)
    assert sorted(ranks) == pytest.approx([-1, 1])
    assert ranks.is_monotonic_increasing


def test_the_findings_and_figures_show_these_numbers() -> None:
    found = pretrain_findings(DONE.numbers(TASKS), DONE.ranks(TASKS), "reptile", 10)
    assert found[0].endswith("SRCC on the query photographs is 0.800.")
    figure = query_plot(DONE.predicted.numpy(), SCORES.numpy())
    assert figure.axes[0].get_title() + figure.axes[0].get_title(loc="left") == "SRCC 0.800"
    assert len(task_plot(DONE.ranks(TASKS)).axes[0].get_yticklabels()) == 2
