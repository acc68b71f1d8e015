import os

import pytest

from study.params import Params
from study.running.engine import ADDRESS, ENGINE, export_to_env


def test_where_pieces_run_stands_in_the_environment(settings: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE, "")
    monkeypatch.setenv(ADDRESS, "")
    export_to_env(settings.compute.model_copy(update={"engine": "ray", "address": "head:6379"}))
    assert (os.environ[ENGINE], os.environ[ADDRESS]) == ("ray", "head:6379")
    export_to_env(settings.compute)
    assert (os.environ[ENGINE], os.environ[ADDRESS]) == ("local", "")
