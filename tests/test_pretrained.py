import pandas as pd
import pytest
import torch

from study.data.tasks import TaskSet
from study.reports.pretraining_figures import query_plot, task_plot
from study.reports.stage_findings import pretrain_findings
from study.stages.pretraining import Pretrained

SCORES = torch.tensor([0.1, 0.4, 0.6, 0.9])
TASKS = TaskSet([], SCORES, pd.DataFrame({"distortions": ["1", "1", "1+2", "2"]}), set())
LOSSES = pd.DataFrame({"step": range(10), "query": [1.0] * 5 + [0.5] * 5})
DONE = Pretrained(None, LOSSES, TASKS.manifest.index, torch.tensor([0.1, 0.2, 0.9, 0.7]))


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
