"""Pieces of work on this machine's cores, and on a real cluster: a head and two workers with processes of their own."""

import builtins
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import joblib
import psutil
import pytest
import torch
from local_cluster import Machine, local_cluster

from grmp.errors import UserError
from study.data.generate import mixture_recipes, write_images
from study.data.photos import read_manifest
from study.params import Params
from study.running.engine import ADDRESS, ENGINE
from study.running.parallel import run_pieces
from study.stages import tuning
from study.stages.cells import run_cell
from study.stages.inputs import Inputs

REPEATS = 6
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
WAYS = pytest.mark.parametrize("threads", [None, 1], ids=["one by one", "side by side"])


@pytest.fixture(autouse=True)
def _at_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ENGINE, ADDRESS):
        monkeypatch.delenv(name, raising=False)


def product(shared: int, first: int, second: int) -> int:
    return shared * first * second


def whole_number(_: None, text: str) -> int:
    if text == "four":
        raise UserError("four: is no number")
    return int(text)


def seen_threads(_: None) -> tuple[int, int]:
    return os.getpid(), torch.get_num_threads()


def slowly(_: None, number: int) -> int:
    time.sleep(0.1)
    return number


def die(_: None, number: int) -> None:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@WAYS
def test_results_come_in_the_order_of_the_pieces(threads: int | None) -> None:
    pieces = ((number, number) for number in range(50))
    assert list(run_pieces(product, pieces, 7, threads)) == [7 * number**2 for number in range(50)]
    assert list(run_pieces(product, [], 7, threads)) == []


@WAYS
def test_an_error_in_a_piece_is_raised_here(threads: int | None) -> None:
    with pytest.raises(ValueError, match="three"):
        list(run_pieces(whole_number, [("1",), ("2",), ("three",)], threads=threads))


@WAYS
def test_what_a_user_can_mend_is_said_as_it_was(threads: int | None) -> None:
    with pytest.raises(UserError, match=r"^four: is no number$"):
        list(run_pieces(whole_number, [("four",)], threads=threads))


@WAYS
def test_pieces_are_asked_for_as_they_are_needed(threads: int | None) -> None:
    asked = []
    pieces = ((asked.append(number) or number,) for number in range(1000))
    results = run_pieces(slowly, pieces, None, threads)
    next(results)
    assert len(asked) < 200  # ten seconds of work
    results.close()


def test_a_piece_that_uses_all_threads_runs_here_and_others_have_the_threads_that_they_ask_for() -> None:
    assert list(run_pieces(seen_threads, [()])) == [(os.getpid(), 1)]
    if joblib.cpu_count() > 1:
        [(process, threads)] = run_pieces(seen_threads, [()], threads=1)
        assert (process != os.getpid(), threads) == (True, 1)


@pytest.mark.skipif(joblib.cpu_count() == 1, reason="one core: pieces run in this process")
def test_a_killed_worker_is_one_line() -> None:
    with pytest.raises(UserError, match="worker processes was killed, most often for want of memory"):
        list(run_pieces(die, [(number,) for number in range(3)], threads=1))
    assert list(run_pieces(product, [(2, 3)], 1, threads=1)) == [6]  # the next ones have workers again


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[Machine]]]:
    """The cluster's address, and its two workers."""
    with local_cluster(workers=2) as (address, environment, workers), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        import ray  # not before: it reads the cluster's password when it is imported

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers have no tests
        yield address, workers


@pytest.fixture
def workers(cluster: tuple[str, list[Machine]], monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """The cluster's workers; pieces run on them."""
    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setenv(ADDRESS, cluster[0])
    return cluster[1]


def library(_: None) -> str:
    return tuning.__file__


@needs_ray
def test_the_library_travels_to_the_workers(workers: list[Machine]) -> None:
    [there] = run_pieces(library, [()])
    assert there != tuning.__file__
    assert Path(there).name == Path(tuning.__file__).name


@needs_ray
def test_on_the_cluster_results_come_in_order_and_errors_as_they_were(workers: list[Machine]) -> None:
    assert list(run_pieces(product, ((number, 1) for number in range(20)), 3)) == [3 * number for number in range(20)]
    with pytest.raises(UserError, match=r"^four: is no number$"):
        list(run_pieces(whole_number, [("four",)]))


@needs_ray
def test_images_are_the_same_to_the_last_byte(
    workers: list[Machine], photographs: Path, settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distort = settings.distort.model_copy(update={"short_side": 48})
    recipes = mixture_recipes(read_manifest(photographs), "train", 12, (1, 2), seed=1)
    there = write_images(recipes, tmp_path / "there", distort, "there")
    monkeypatch.delenv(ENGINE)
    here = write_images(recipes, tmp_path / "here", distort, "here")
    assert there.equals(here)
    for name in here["image"]:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@needs_ray
@pytest.mark.parametrize(("threads", "gpus"), [(64, 0), (1, 1)])
def test_pieces_that_no_machine_has_room_for_are_refused(workers: list[Machine], threads: int, gpus: int) -> None:
    with pytest.raises(UserError, match=f"no machine of the Ray cluster has {threads} cores and {gpus} GPUs"):
        list(run_pieces(product, [(1, 1)], 1, threads, gpus))


def marked(folder: Path, tune, *piece: object) -> object:
    """A repeat that leaves a file named after its process when it starts."""
    (folder / f"{time.time_ns()}-{psutil.Process().pid}").touch()
    return tune(*piece)


def kill_at_work(folder: Path, workers: list[Machine]) -> None:
    """Kill the machine on which the third repeat has just started."""
    while len(started := sorted(folder.iterdir())) < 3:
        time.sleep(0.02)
    pid = int(started[-1].name.rpartition("-")[2])
    next(machine for machine in workers if machine.has(pid)).kill_raylet()


@needs_ray
def test_a_machine_that_dies_at_work_costs_nothing_but_time(
    workers: list[Machine], study: Inputs, settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finetune = study.finetune.model_copy(update={"steps": 40})
    longer = dataclasses.replace(study, folds=study.folds[:1] * REPEATS, finetune=finetune)
    with monkeypatch.context() as patch:
        patch.delenv(ENGINE)
        expected = run_cell(longer, "full", 6, settings.qgr)
    monkeypatch.setattr(tuning, "tune", partial(marked, tmp_path, tuning.tune))
    killing = threading.Thread(target=kill_at_work, args=(tmp_path, workers))
    killing.start()
    found = run_cell(longer, "full", 6, settings.qgr)
    killing.join()
    assert len(list(tmp_path.iterdir())) > REPEATS  # what the dead machine was at was done again
    for name, table in vars(expected).items():
        assert getattr(found, name).to_csv() == table.to_csv()


@needs_ray
@pytest.mark.parametrize(("address", "reason"), [("127.0.0.2:1", "refused"), ("nonsense", "Invalid address")])
def test_a_cluster_that_is_not_there_is_told_with_key_and_remedy(
    monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setenv(ADDRESS, address)
    with pytest.raises(UserError) as error:
        list(run_pieces(product, [(1, 1)], 1))
    said = str(error.value)
    assert said.startswith(f"params.yaml: compute.address: {address}: no Ray cluster can be used there (")
    assert reason in said
    assert "`ray start --head` starts one" in said
    assert "\n" not in said


def test_without_ray_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"compute\.engine: ray: Ray is not installed here; .*grmp\[cluster\]"):
        list(run_pieces(product, [(1, 1)], 1))
