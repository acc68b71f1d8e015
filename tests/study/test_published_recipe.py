"""The preset `published` on small sets in the official layouts, which the test makes, with a CLIP of a few weights."""

import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from scipy.io import savemat

from grmp.errors import UserError
from grmp.io import backbone
from grmp.runtime import Runtime
from study.data import datasets
from study.data.datasets import SETS
from study.data.squashed import Squashed
from study.data.tasks import read_tasks
from study.params import Params
from study.preset import load_preset
from study.stages import published
from study.stages.inputs import Inputs
from study.stages.protocol import measure, prepare, summary
from study.stages.published import find_weights, pretrain_published
from study.stages.tuning import tune
from study.variants import VARIANTS

ROOT = Path(__file__).parents[2]
SIZES = {  # for a CLIP that sees 48 pixels; all that is no size, or no rate that few steps need, is the preset's own
    "compute.precision": "fp32",
    "compute.device": "cpu",
    "pretrain.side": 56,
    "image.crop": 48,
    "prompts.image_tokens": 3,
    "prompts.depth": 3,
    "pretrain.outer_steps": 4,
    "pretrain.support": 5,
    "pretrain.query": 3,
    "pretrain.inner_rate": 0.01,
    "pretrain.outer_rate": 0.3,
    "finetune.blocks": 2,
    "finetune.side": 52,
    "finetune.steps": 40,
    "finetune.evaluations": 20,
    "finetune.learning_rate": 0.3,
    "finetune.text_learning_rate": 0.3,
    "grid.labels": [8],
    "grid.repeats": 2,
    "sweep.labels": 8,
}
IMAGES = 40  # of LIVEC
# The losses of each outer step, and the table, of the run below: float32 on one thread. Prompts that differ by 1e-6 of
# their values give the same ranks.
LOSSES = [[0.7999, 0.6913], [0.7209, 0.7013], [0.695, 0.7211], [0.6989, 0.7008]]
RESULTS = {
    "labels": [8, 8],
    "count": [8, 8],
    "repeat": [1, 2],
    "srcc": [-0.2619, -0.1429],
    "plcc": [0.508, 0.0413],
    "looks": [20, 20],
    "srcc_best": [0.0476, 0.5238],
    "plcc_best": [0.508, 0.6355],
    "looks_plateau": [20, 20],
    "srcc_plateau": [0.0476, 0.5238],
    "plcc_plateau": [0.508, 0.6355],
}


def write_image(path: Path, seed: int, blur: float = 1, height: int = 48, width: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    small = image.resize((round(width / blur), round(height / blur)), Image.Resampling.BILINEAR)
    small.resize((width, height), Image.Resampling.BILINEAR).save(path)


def write_livec(folder: Path) -> None:
    """LIVEC as published, its score tables being of `IMAGES` images and of the 7 that raters were trained on."""
    names = [f"t{number}.bmp" for number in range(1, 8)] + [f"{number}.bmp" for number in range(3, 3 + IMAGES)]
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = [np.array([name]) for name in names]
    blurs = np.random.default_rng(0).uniform(1, 8, len(names))
    (folder / "Data").mkdir(parents=True)
    for key, values in (("AllImages", cells), ("AllMOS", 100 - 10 * blurs[None]), ("AllStdDev", blurs[None])):
        savemat(folder / "Data" / f"{key}_release.mat", {f"{key}_release": values})
    for number, name in enumerate(names[7:], 7):
        write_image(folder / "Images" / name, 100 + number, blurs[number])


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TID2013 and KADID-10k with three references, two types (KADID's 25th among them) and three levels; LIVEC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("study.data.tasks.read", partial(datasets.read, allow_missing=True))
    monkeypatch.setitem(SETS, "livec", replace(SETS["livec"], images=IMAGES))
    for reference, level in itertools.product((1, 2, 3), (1, 3, 5)):
        for kind in (1, 25):
            write_image(tmp_path / f"kadid/images/I{reference:02}_{kind:02}_{level:02}.png", reference, level)
        for kind in (1, 8):
            write_image(tmp_path / f"tid/distorted_images/I{reference:02}_{kind:02}_{level}.BMP", reference, level)
    write_livec(tmp_path / "livec")
    return tmp_path


@pytest.fixture
def small(sets: Path) -> Params:
    places = {"pretrain.source": [str(sets / "tid"), str(sets / "kadid")], "target.folder": str(sets / "livec")}
    return load_preset(ROOT / "human/params.yaml", ROOT / "human/published.yaml", SIZES | places)


@pytest.fixture
def inputs(small: Params, clip: CLIP, runtime: Runtime, sets: Path) -> Inputs:
    """What fine-tuning starts from, behind one outer step of pre-training."""
    short = small.model_copy(update={"pretrain": small.pretrain.model_copy(update={"outer_steps": 1})})
    return prepare(small, clip, pretrain_published(short, clip, runtime), runtime, sets / "target")


def test_a_small_run_of_the_preset(
    small: Params, clip: CLIP, runtime: Runtime, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[pd.DataFrame] = []
    pretrain = published.pretrain_prompts

    def spy(*given: object):
        done = pretrain(*given)
        tables.append(done.losses)
        return done

    monkeypatch.setattr(published, "pretrain_prompts", spy)
    model = pretrain_published(small, clip, runtime)
    results = measure(small, prepare(small, clip, model, runtime, sets / "target"))
    epoch = [{"tid2013:1", "tid2013:8"}, {"kadid-10k:1", "kadid-10k:25"}]
    assert tables[0]["tasks"].str.split().map(set).tolist() == epoch * 2
    np.testing.assert_allclose(tables[0][["support", "query"]], LOSSES, atol=2e-4)
    assert list(results) == list(RESULTS)
    for name, values in RESULTS.items():
        np.testing.assert_allclose(results[name], values, atol=0.05, err_msg=name)  # one swap of two ranks is 0.024
    page = summary(results, small, "a tiny CLIP", runtime)
    assert "Medians over 2 splits of LIVEC, the published recipe; backbone a tiny CLIP; cpu, fp32." in page
    assert f"| {results['srcc'].median():.3f} |" in page


def test_the_run_beside_it_is_honest(inputs: Inputs, small: Params) -> None:
    """Other labels of the test part change nothing where nothing steers, and do where the test part does."""
    fold = inputs.folds[0]
    scores = inputs.scores.clone()
    scores[fold.test] = -scores[fold.test]
    last = {}
    for protocol in ("fixed", "published"):
        rule = small.finetune.model_copy(update={"protocol": protocol})
        for name, given in (("true", inputs.scores), ("other", scores)):
            own = replace(inputs, scores=given, finetune=rule, steered=protocol == "published")
            last[protocol, name] = tune(own, VARIANTS["full"], 8, small.qgr, "a run", 1).predictions[-1]
    assert torch.equal(last["fixed", "true"], last["fixed", "other"])
    assert not torch.equal(last["published", "true"], last["published", "other"])


def test_labels_are_stretched_over_the_labelled_images_alone(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []
    monkeypatch.setattr("study.stages.tuning.finetune", lambda model, labelled, *_: given.append(labelled.scores))
    tune(inputs, VARIANTS["full"], 8, load_preset(ROOT / "human/params.yaml", ROOT / "human/published.yaml").qgr, "", 1)
    assert (len(given[0]), given[0].min(), given[0].max()) == (8, 0, 1)


def test_several_sources_are_told_apart_and_each_holds_photographs_out(small: Params) -> None:
    found = read_tasks(small.pretrain, seed=1)
    assert list(found.pools) == ["tid2013:1", "tid2013:8", "kadid-10k:1", "kadid-10k:25"]
    assert {name.partition(":")[0] for name in found.query} == {"tid2013", "kadid-10k"}
    assert len(found.images) == len(found.manifest) == 36
    sizes = {name: (len(pool.support), len(pool.query)) for name, pool in found.pools.items()}
    assert set(sizes.values()) == {(6, 3)}


def test_images_are_squashed_from_their_own_size_to_either_side(small: Params, sets: Path) -> None:
    images = read_tasks(small.pretrain, seed=1).images
    assert isinstance(images, Squashed)
    assert (images[0].shape, images.at(48)[0].shape) == ((3, 56, 56), (3, 48, 48))
    assert images.state() != images.at(48).state()
    assert torch.equal(images[35], Squashed([sets / "kadid/images/I03_25_05.png"], 56)[0])
    cut = read_tasks(small.pretrain.model_copy(update={"fit": "crops"}), seed=1).images
    assert {tuple(image.shape) for image in cut} == {(3, 48, 64)}


def test_weights_of_another_backbone_are_not_taken(small: Params, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UserError("the hub")

    monkeypatch.setattr(published, "obtain", refuse)
    with pytest.raises(UserError, match="the hub"):
        find_weights(small, sets)
    embedded = small.backbone.model_copy(update={"source": "embedded"})
    found = find_weights(small.model_copy(update={"backbone": embedded}), sets)
    assert found == Path("artifacts/weights/clip.safetensors")


def test_the_command_writes_its_table_and_page(small: Params, clip: CLIP, config: dict, sets: Path) -> None:
    """With cached crops, as two cores can run it."""
    backbone.save(sets / "work/clip.safetensors", clip, config, small.backbone)
    few = {"pretrain.outer_steps": 1, "finetune.steps": 4, "finetune.evaluations": 2, "grid.repeats": 1}
    changes = SIZES | few | {"finetune.crops": "fixed", "compute.threads": 1}
    given = [f"{name}={json.dumps(value)}" for name, value in changes.items()]
    folders = [sets / name for name in ("tid", "kadid", "livec", "out", "work")]
    published.main(*folders, ROOT / "human/params.yaml", ROOT / "human/published.yaml", given)
    table = pd.read_csv(sets / "out/results.csv")
    assert table[["labels", "count", "repeat", "looks", "looks_plateau"]].to_numpy().tolist() == [[8, 8, 1, 2, 2]]
    page = (sets / "out/README.md").read_text(encoding="utf-8")
    assert "ViT-B-16-quickgelu, openai; cpu, fp32" in page
    assert (sets / "work/prompts.safetensors").is_file()
