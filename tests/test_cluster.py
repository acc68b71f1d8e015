"""A real cluster, of a head and two workers that are processes of their own; one is killed while it works."""

import builtins
import dataclasses
import inspect
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from local_cluster import Machine, local_cluster
from study.running.cluster import Cluster, check_room, open_cluster
from study.running.engine import Here

from grmp.errors import UserError
from study.data.generate import mixture_recipes, write_images
from study.data.photos import read_manifest
from study.params import Params
from study.stages import cells
from study.stages.cells import Cell, Study, run_cell, run_repeat

REPEATS = 6

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture(scope="module")
def connected() -> Iterator[tuple[Cluster, list[Machine]]]:
    """The cluster as an engine, and its two workers."""
    with local_cluster(workers=2) as (address, environment, workers), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        import ray  # not before: it reads the cluster's password when it is imported

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers have no tests
        with open_cluster(address, threads=1, gpus=0) as engine:
            yield engine, workers


@pytest.fixture
def engine(connected: tuple[Cluster, list[Machine]]) -> Cluster:
    return connected[0]


@pytest.fixture
def long(study: Study) -> Study:
    """Repeats of about a second each."""
    finetune = study.finetune.model_copy(update={"steps": 40})
    return dataclasses.replace(study, folds=study.folds[:1] * REPEATS, finetune=finetune)


def marked(folder: Path, *piece: object) -> Cell:
    """A repeat that leaves a file named after its process when it starts."""
    (folder / f"{time.time_ns()}-{psutil.Process().pid}").touch()
    return run_repeat(*piece)


def kill_at_work(folder: Path, workers: list[Machine]) -> None:
    """Kill the machine on which the third repeat has just started."""
    while len(started := sorted(folder.iterdir())) < 3:
        time.sleep(0.02)
    pid = int(started[-1].name.rpartition("-")[2])
    next(machine for machine in workers if machine.has(pid)).kill_raylet()


@needs_ray
def test_the_library_travels_to_the_workers(engine: Cluster) -> None:
    (there,) = engine.run(inspect.getfile, [(run_repeat,)])
    assert there != cells.__file__
    assert Path(there).read_bytes() == Path(cells.__file__).read_bytes()


@needs_ray
def test_images_are_the_same_to_the_last_byte(
    engine: Cluster, photographs: Path, settings: Params, tmp_path: Path
) -> None:
    distort = settings.distort.model_copy(update={"short_side": 48})
    recipes = mixture_recipes(read_manifest(photographs), "train", 12, (1, 2), seed=1)
    here = write_images(recipes, tmp_path / "here", distort, "here", Here())
    there = write_images(recipes, tmp_path / "there", distort, "there", engine)
    assert there.equals(here)
    for name in here["image"]:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@needs_ray
def test_what_a_user_can_mend_is_said_as_if_it_had_happened_here(
    engine: Cluster, study: Study, settings: Params
) -> None:
    with pytest.raises(UserError, match=r"^labels 500 means 500 images; between 2 and the pool's 12 are possible$"):
        run_cell(study, "ridge", 500, settings.qgr, engine)


@needs_ray
@pytest.mark.parametrize(("threads", "gpus"), [(64, 0), (1, 1)])
def test_pieces_that_no_machine_has_room_for_are_refused(engine: Cluster, threads: int, gpus: int) -> None:
    with pytest.raises(UserError, match=f"no machine of the Ray cluster has {threads} cores and {gpus} GPUs"):
        check_room(threads, gpus)


@needs_ray
def test_a_machine_that_dies_at_work_costs_nothing_but_time(
    connected: tuple[Cluster, list[Machine]],
    long: Study,
    settings: Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, workers = connected
    expected = run_cell(long, "full", 6, settings.qgr)
    monkeypatch.setattr(cells, "run_repeat", partial(marked, tmp_path))
    killing = threading.Thread(target=kill_at_work, args=(tmp_path, workers))
    killing.start()
    found = run_cell(long, "full", 6, settings.qgr, engine)
    killing.join()
    assert len(list(tmp_path.iterdir())) > REPEATS  # what the dead machine was at was done again
    for name, table in vars(expected).items():
        assert getattr(found, name).to_csv() == table.to_csv()


@needs_ray
@pytest.mark.parametrize(("address", "reason"), [("127.0.0.2:1", "refused"), ("nonsense", "Invalid address")])
def test_a_cluster_that_is_not_there_is_told_with_key_and_remedy(address: str, reason: str) -> None:
    with pytest.raises(UserError) as error, open_cluster(address, threads=1, gpus=0):
        pass
    said = str(error.value)
    assert said.startswith(f"params.yaml: compute.address: {address}: no Ray cluster can be used there (")
    assert reason in said
    assert "`ray start --head` starts one" in said
    assert "\n" not in said


def test_without_ray_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object):
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"compute\.engine: ray: Ray is not installed here; .*grmp\[cluster\]"):
        open_cluster(None, 1, 0).__enter__()
