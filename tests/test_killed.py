"""Long computations under real SIGKILLs, each in a process of its own; `make chaos` does it to the whole study."""

import dataclasses
import os
import random
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from study.running.engine import Here
from study.running.journal import digest
from test_pretrain import HELD_OUT, IMAGES, MANIFEST, SCORES

from grmp import training as resume
from grmp.features import frozen_features
from grmp.io.files import write_whole
from grmp.io.paths import UNFINISHED_VARIABLE
from grmp.model import PromptedCLIP
from grmp.pretrain import make_pools, pretrain
from grmp.runtime import Runtime
from study.data import generate
from study.data.photos import read_manifest
from study.params import Params
from study.stages.cells import Study, run_cell

KILLS = 8


@pytest.fixture
def disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], str]], None]:
    """Runs work that returns a digest of its result once undisturbed, then killed many times; both must agree."""
    monkeypatch.setattr(resume, "TIMES", 0)

    def run(work: Callable[[], str], result: Path) -> int:
        child = os.fork()
        if not child:
            try:
                write_whole(result, work())
            finally:
                os._exit(0)
        return child

    def check(work: Callable[[], str]) -> None:
        started = time.monotonic()
        os.waitpid(run(work, tmp_path / "undisturbed"), 0)
        seconds, draw = time.monotonic() - started, random.Random(0)
        monkeypatch.setenv(UNFINISHED_VARIABLE, str(tmp_path / "unfinished"))
        kept = []
        for _ in range(KILLS):
            child = run(work, tmp_path / "disturbed")
            time.sleep(draw.uniform(0, seconds / 2))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kept.append(
                {path: path.stat().st_mtime_ns for path in (tmp_path / "unfinished").rglob("[!.]*.safetensors")}
            )
        os.waitpid(run(work, tmp_path / "disturbed"), 0)
        assert (tmp_path / "disturbed").read_text() == (tmp_path / "undisturbed").read_text()
        assert kept[-1]
        for before, after in pairwise(kept):
            assert all(after[path] == when for path, when in before.items() if path.stem != resume.PIECE)

    return check


def test_a_cell(study: Study, settings: Params, disturbed: Callable) -> None:
    settings = settings.model_copy(update={"finetune": study.finetune.model_copy(update={"steps": 10})})
    longer = dataclasses.replace(study, folds=study.folds * 2, finetune=settings.finetune)

    def work() -> str:
        cell = run_cell(longer, "full", 6, settings.qgr)
        return "".join(table.to_csv() for table in vars(cell).values())

    disturbed(work)


def test_pre_training(model: PromptedCLIP, settings: Params, runtime: Runtime, disturbed: Callable) -> None:
    chosen = settings.pretrain.model_copy(update={"outer_steps": 30, "patches": 0.5})  # every step draws of these too

    def work() -> str:
        torch.manual_seed(3)
        draws = torch.Generator().manual_seed(1)
        losses = pretrain(model, IMAGES, SCORES, make_pools(MANIFEST, HELD_OUT), chosen, 48, runtime, draws)
        return digest(model.prompt_parameters()) + losses.to_csv()

    disturbed(work)


def test_features(model: PromptedCLIP, runtime: Runtime, disturbed: Callable) -> None:
    crops = torch.randint(0, 256, (400, 2, 3, 48, 48), dtype=torch.uint8)
    disturbed(lambda: digest(frozen_features(model, crops, 2, runtime, "plain", probe_blocks=[1]).tensors()))


def test_distorted_images(photographs: Path, settings: Params, tmp_path: Path, disturbed: Callable) -> None:
    recipes = generate.single_recipes(read_manifest(photographs)[:2], 1, 1)

    distort = settings.distort.model_copy(update={"short_side": 48})

    def work() -> str:
        made = generate.write_images(recipes, tmp_path / "set", distort, "set", Here())
        return made.to_csv() + "".join(
            digest(torch.frombuffer(bytearray((tmp_path / "set" / name).read_bytes()), dtype=torch.uint8))
            for name in made["image"]
        )

    disturbed(work)
