import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

from study.params import Params, load
from study.running.engine import ADDRESS, ENGINE, export_to_env
from study.stages import choice, replication


def test_where_pieces_run_stands_in_the_environment(settings: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE, "")
    monkeypatch.setenv(ADDRESS, "")
    export_to_env(settings.compute.model_copy(update={"engine": "ray", "address": "head:6379"}))
    assert (os.environ[ENGINE], os.environ[ADDRESS]) == ("ray", "head:6379")
    export_to_env(settings.compute)
    assert (os.environ[ENGINE], os.environ[ADDRESS]) == ("local", "")


class Reached(Exception):
    """The work itself, which is not done here."""


@pytest.mark.parametrize(
    ("stage", "work", "name"), [(choice, "run_choice", "no_qgr"), (replication, "replicate", 2)], ids=["choice", "draw"]
)
def test_stages_without_a_notebook_say_where_pieces_run(
    stage: ModuleType, work: str, name: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> Callable:
        raise Reached

    said: list[object] = []
    monkeypatch.setattr(stage, "export_to_env", said.append)
    monkeypatch.setattr(stage, work, stop)
    path = ROOT / "human/params.yaml"
    with pytest.raises(Reached):
        stage.main(name, tmp_path, params_path=path)
    assert said == [load(path).compute]
