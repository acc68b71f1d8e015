import operator
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from types import SimpleNamespace

import cv2
import pytest
import torch
from study.running.engine import Here, Processes, one_by_one, set_threads, side_by_side, started_ahead
from study.running.place import hand_on

from grmp.errors import UserError
from grmp.runtime import Runtime
from study.params import Params
from study.running import engine


@pytest.fixture(autouse=True)
def _here(settings: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRMP_ENGINE", "GRMP_ADDRESS"):
        monkeypatch.setenv(name, "")
    hand_on(settings.compute)


class Inline:
    """A pool without processes: a fresh one imports torch first, which takes longer than all these tests."""

    def submit(self, function, *piece: object) -> Future:
        done = Future()
        try:
            done.set_result(function(*piece))
        except ValueError as error:
            done.set_exception(error)
        return done


ENGINES = pytest.mark.parametrize("runs", [Here(), Processes(Inline(), cores=2)], ids=["here", "processes"])


def squares(count: int) -> Iterator[tuple[int, int]]:
    return ((number, number) for number in range(count))


@ENGINES
def test_results_come_in_the_order_of_the_pieces(runs: engine.Engine) -> None:
    assert list(runs.run(operator.mul, squares(50))) == [number**2 for number in range(50)]
    assert list(runs.run(operator.mul, [])) == []


@ENGINES
def test_a_shared_value_reaches_every_piece(runs: engine.Engine) -> None:
    shared = runs.share([7])
    assert list(runs.run(operator.add, ((shared, [number]) for number in range(3)))) == [[7, 0], [7, 1], [7, 2]]


@ENGINES
def test_results_before_a_failure_are_not_lost_with_it(runs: engine.Engine) -> None:
    results = runs.run(int, [("1",), ("2",), ("three",)])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


@ENGINES
def test_pieces_are_asked_for_as_they_are_needed(runs: engine.Engine) -> None:
    asked = []
    results = runs.run(abs, ((asked.append(number) or number,) for number in range(1000)))
    next(results)
    assert len(asked) < 20


def test_so_many_are_started_ahead_and_no_more() -> None:
    started = []
    handles = started_ahead(started.append, ((number,) for number in range(5)), ahead=2)
    counts = [len(started) for _ in handles]
    assert counts == [3, 4, 5, 5, 5]


def test_pieces_that_use_all_threads_run_here_in_turn(runtime: Runtime) -> None:
    with one_by_one(runtime) as runs:
        assert isinstance(runs, Here)
        assert not isinstance(runs, Processes)


def test_the_processes_are_fresh_ones_with_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    @contextmanager
    def executor(cores: int, context: BaseContext, initializer):
        asked.append((cores, context.get_start_method(), initializer))
        yield SimpleNamespace(map=map)

    monkeypatch.setattr(engine, "ProcessPoolExecutor", executor)
    monkeypatch.setattr(engine.joblib, "cpu_count", lambda: 3)
    with side_by_side() as runs:
        assert asked == [(3, "spawn", engine._start_worker)]
        assert runs.cores == 3


def test_a_killed_worker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def executor(*_: object, **__: object):
        yield SimpleNamespace(map=map)

    monkeypatch.setattr(engine, "ProcessPoolExecutor", executor)
    with pytest.raises(UserError, match="worker processes was killed, most often for want of memory"), side_by_side():
        raise BrokenProcessPool


def test_threads_are_those_of_all_numerical_libraries() -> None:
    before = cv2.getNumThreads()
    try:
        set_threads(2)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        cv2.setNumThreads(before)


def test_the_cluster_is_used_where_params_say_so(
    settings: Params, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    opened = []
    monkeypatch.setattr("study.running.cluster.open_cluster", lambda *given: opened.append(given))
    hand_on(settings.compute.model_copy(update={"engine": "ray", "address": "head:6379"}))
    torch.set_num_threads(2)
    one_by_one(runtime)
    one_by_one(Runtime(torch.device("cuda"), "bf16"))
    side_by_side()
    assert opened == [("head:6379", 2, 0), ("head:6379", 2, 1), ("head:6379", 1, 0)]
