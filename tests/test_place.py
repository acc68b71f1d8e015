import os
import subprocess
import sys

import pytest

from grmp.params import Compute, Params
from grmp.place import ADDRESS, ENGINE, Place, chosen, hand_on


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ENGINE, ADDRESS):
        monkeypatch.setenv(name, "")


@pytest.fixture
def on_ray(settings: Params) -> Compute:
    return settings.compute.model_copy(update={"engine": "ray", "address": "head:6379"})


def test_it_is_this_machine_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() == Place(on_cluster=False, address=None)
    monkeypatch.delenv(ENGINE)
    monkeypatch.delenv(ADDRESS)
    assert chosen() == Place(on_cluster=False, address=None)


def test_what_was_handed_on_reaches_processes_that_are_started(on_ray: Compute) -> None:
    hand_on(on_ray)
    assert chosen() == Place(on_cluster=True, address="head:6379")
    code = "from grmp.place import chosen; print(chosen().address)"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout == "head:6379\n"
    hand_on(on_ray.model_copy(update={"engine": "local", "address": None}))
    assert chosen() == Place(on_cluster=False, address=None)


def test_it_is_no_parameter_of_a_notebook_and_in_no_report(on_ray: Compute) -> None:
    assert set(on_ray.model_dump()) == {"device", "precision", "threads", "seed"}
    assert Compute(**on_ray.model_dump()).engine == "local"
