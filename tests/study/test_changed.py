from pathlib import Path
from typing import Any

import pytest

from grmp.io.paths import Folders
from study.params import Params
from study.stages import changed
from study.variants import find_variant

CHANGES = [
    ("align", {"crops": 1}, ["00_backbone", "02_pretrain"], {"clip", "prompts", "prior"}),
    ("distort", {"window": 1.0}, ["01_distort", "02_pretrain"], {"prompts", "prior"}),
    ("prompts", {"pixels": "imagenet"}, ["02_pretrain"], {"prompts", "prior"}),
    ("pretrain", {"source": ("tid", "kadid"), "algorithm": "sequential"}, ["02_pretrain"], {"prompts", "prior"}),
    ("pretrain", {"draw": 2}, ["02_pretrain"], {"prompts", "prior"}),
    ("finetune", {"steps": 3}, [], set()),
]


@pytest.mark.parametrize(("section", "values", "stages", "files"), CHANGES)
def test_stages_run_from_the_first_that_a_change_concerns(
    section: str,
    values: dict[str, Any],
    stages: list[str],
    files: set[str],
    settings: Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(changed, "run_notebook", lambda source, target, parameters: ran.append(source.stem))
    now = settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})
    own = Folders()
    made = changed.run_stages(settings, now, find_variant("full"), tmp_path, own)
    assert ran == stages
    assert {name for name, path in vars(made).items() if path != vars(own)[name]} == files
    assert all(vars(made)[name] == tmp_path / f"{name}.safetensors" for name in files)


def test_without_pretraining_no_stage_of_it_runs_again(
    settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "run_notebook", lambda *_: pytest.fail("nothing to run"))
    now = settings.model_copy(update={"distort": settings.distort.model_copy(update={"window": 1.0})})
    assert changed.run_stages(settings, now, find_variant("ridge"), tmp_path, Folders()) == Folders()
