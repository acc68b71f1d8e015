"""The preset `published` on small sets in the official layouts, which the test makes, with a CLIP of a few weights."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from open_clip import CLIP
from PIL import Image
from scipy.io import savemat

from grmp.runtime import Runtime
from study.data import datasets
from study.data.datasets import SETS
from study.params import Params
from study.preset import load_preset
from study.stages.published import measure, prepare, pretrain_published, summary

ROOT = Path(__file__).parents[2]
SIZES = {  # a tiny CLIP sees 48 pixels; everything that is no size is the preset's own
    "compute.precision": "fp32",
    "compute.device": "cpu",
    "image.short_side": 56,
    "image.crop": 48,
    "prompts.image_tokens": 3,
    "prompts.depth": 3,
    "pretrain.outer_steps": 4,
    "pretrain.support": 5,
    "pretrain.query": 3,
    "finetune.blocks": 2,
    "finetune.side": 52,
    "finetune.steps": 30,
    "finetune.evaluations": 6,
    "grid.labels": [8],
    "grid.repeats": 2,
    "sweep.labels": 8,
}


def write_image(path: Path, seed: int, height: int = 48, width: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


def write_livec(folder: Path, images: int) -> None:
    """LIVEC as published, its score tables being of `images` images and of the 7 that raters were trained on."""
    names = [f"t{number}.bmp" for number in range(1, 8)] + [f"{number}.bmp" for number in range(3, 3 + images)]
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = [np.array([name]) for name in names]
    scores = np.random.default_rng(0).uniform(20, 90, (1, len(names)))
    (folder / "Data").mkdir(parents=True)
    for key, values in (("AllImages", cells), ("AllMOS", scores), ("AllStdDev", scores / 9)):
        savemat(folder / "Data" / f"{key}_release.mat", {f"{key}_release": values})
    for number, name in enumerate(names[7:]):
        write_image(folder / "Images" / name, 100 + number)


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TID2013 and KADID-10k with three references, two types (KADID's 25th among them) and three levels; LIVEC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("study.data.tasks.read", partial(datasets.read, allow_missing=True))
    monkeypatch.setitem(SETS, "livec", replace(SETS["livec"], images=20))
    for reference, level in itertools.product((1, 2, 3), (1, 3, 5)):
        for kind in (1, 25):
            write_image(tmp_path / f"kadid/images/I{reference:02}_{kind:02}_{level:02}.png", reference)
        for kind in (1, 8):
            write_image(tmp_path / f"tid/distorted_images/I{reference:02}_{kind:02}_{level}.BMP", reference)
    write_livec(tmp_path / "livec", 20)
    return tmp_path


def preset(**changes: object) -> Params:
    return load_preset(ROOT / "human/params.yaml", ROOT / "human/published.yaml", SIZES | changes)


@pytest.fixture
def small(sets: Path) -> Params:
    return preset(**{"pretrain.source": [str(sets / "tid"), str(sets / "kadid")], "target.folder": str(sets / "livec")})


def test_a_small_run_of_the_preset(small: Params, clip: CLIP, runtime: Runtime, sets: Path) -> None:
    model = pretrain_published(small, clip, runtime)
    results = measure(small, prepare(small, clip, model, runtime, sets / "target"))
    print(results.to_csv(index=False))
    page = summary(results, small, "tiny", runtime)
    assert "| 8 | 8 |" in page
