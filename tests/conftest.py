"""What many tests start from: a CLIP of a few thousand weights, small settings, a folder of small photographs."""

import copy
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from open_clip import CLIP
from PIL import Image

from grmp.features import frozen_features
from grmp.io import backbone
from grmp.io.backbone import build
from grmp.model import PromptedCLIP, prompted
from grmp.prior import Prior, learn
from grmp.runtime import Runtime
from grmp.scoring.card import Card, HeldOut, Labels, computed_on, parameters
from grmp.scoring.scorer import Input, Scorer
from grmp.scoring.scorer_file import save
from study.data.sets import Fold
from study.params import Params, load
from study.stages.inputs import Inputs

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "assets" / "photos"

CONFIG = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 48, "layers": 3, "width": 64, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3},
}
SMALL = {
    "compute": {"device": "cpu", "precision": "fp32", "threads": 1, "seed": 1},
    "prompts": {"context": 4, "image_tokens": 2, "depth": 3, "dropout": 0.1, "projection": True},
    "align": {"width": 32, "layers": 3, "heads": 2, "context_length": 32, "crops": 2, "steps": 20},
    "image": {"crop": 48, "views": ((48, 2),)},
    "finetune": {"blocks": 2, "steps": 4, "batch": 4, "evaluations": 2, "probe_blocks": (8, 9, 10)},
    "qgr": {"when": "aligned", "strength": 1.0, "scope": "tensor"},
    "pretrain": {
        "algorithm": "fomaml",
        "outer_steps": 3,
        "tasks": 2,
        "support": 3,
        "query": 3,
        "inner_steps": 1,
        "inner_optimiser": "sgd",
        "inner_rate": 0.01,
        "outer_rate": 0.003,
    },
}


POOL, TEST = 12, 9  # images of the study's labelled pool, and of its test part
LONG = ("test_human_study.py", "test_pipeline.py", "test_parallel.py", "test_explore_browser.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes go first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(autouse=True)
def _one_thread_and_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _figures_as_they_were() -> Iterator[None]:
    with plt.rc_context():  # whatever style a test sets ends with it
        yield


@pytest.fixture
def config() -> dict:
    """open_clip's configuration of the tiny CLIP."""
    return copy.deepcopy(CONFIG)


@pytest.fixture(scope="session")
def _built() -> CLIP:
    torch.manual_seed(0)
    return build(CONFIG).eval().requires_grad_(False)


@pytest.fixture
def clip(_built: CLIP) -> CLIP:
    """A tiny CLIP of its own for each test, frozen: 3 blocks per tower, images of 48 pixels, 16 numbers out."""
    return copy.deepcopy(_built)


@pytest.fixture
def settings() -> Params:
    """The repository's params.yaml, with everything small."""
    params = load(ROOT / "params.yaml")
    return params.model_copy(
        update={name: getattr(params, name).model_copy(update=values) for name, values in SMALL.items()}
    )


@pytest.fixture
def model(clip: CLIP, settings: Params) -> PromptedCLIP:
    """The tiny CLIP with fresh prompts in every block, in evaluation mode."""
    return prompted(clip, settings.prompts).eval()


@pytest.fixture
def runtime() -> Runtime:
    return Runtime(torch.device("cpu"), "fp32")


@pytest.fixture
def prior() -> Prior:
    """What twelve random embeddings of three photographs teach, read behind three blocks."""
    generator = torch.Generator().manual_seed(6)
    embeddings = torch.nn.functional.normalize(torch.randn(12, 3, 16, generator=generator), dim=-1)
    return learn(embeddings, torch.rand(12, generator=generator), [*"aaaabbbbcccc"])


@pytest.fixture
def study(clip: CLIP, model: PromptedCLIP, settings: Params, runtime: Runtime, prior: Prior) -> Inputs:
    """Random features of 21 target images, and two repeats on one split of them."""
    generator = torch.Generator().manual_seed(4)
    plain = prompted(clip, settings.prompts.model_copy(update={"image_tokens": 0})).eval()
    crops = torch.randint(0, 256, (POOL + TEST, 2, 3, 48, 48), dtype=torch.uint8, generator=generator)
    order = torch.randperm(POOL + TEST, generator=generator)
    fold = Fold(order[:POOL].sort().values, order[POOL:].sort().values)
    return Inputs(
        plain=frozen_features(plain, crops, 1, runtime, "plain", probe_blocks=[1, 2, 3]),
        meta=frozen_features(model, crops, 1, runtime, "meta", probe_blocks=[1, 2, 3]),
        scores=torch.rand(POOL + TEST, generator=generator),
        folds=[fold, fold],
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune.model_copy(update={"learning_rate": 0.01, "text_learning_rate": 0.01}),
        seed=1,
        runtime=runtime,
        prior=prior,
    )


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict]]:
    """What code displays, as a notebook would get it: dicts with `data` by type, and `update` for a replaced output."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))  # nothing of the user's
    shell = InteractiveShell.instance()
    with shell.builtin_trap:
        shell.display_pub = CapturingDisplayPublisher()
        yield shell.display_pub.outputs
    InteractiveShell.clear_instance()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `data/` is one: four photographs of each of three scenes, their shorter side 64 pixels."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "images").mkdir()
    table = pd.read_csv(PHOTOS / "photos.csv")
    table = table[table["scene"].isin(["animal", "indoor", "night"])].groupby("scene").head(4)
    for name in table["file"]:
        with Image.open(PHOTOS / "images" / name) as image:
            image.draft("RGB", (128, 128))
            scale = 64 / min(image.size)
            image.convert("RGB").resize([round(side * scale) for side in image.size]).save(folder / "images" / name)
    table.to_csv(folder / "photos.csv", index=False)
    return folder


@pytest.fixture
def card(settings: Params, runtime: Runtime) -> Card:
    """A model card with invented numbers."""
    return Card(
        version="0.1.0",
        backbone="tiny",
        labels=Labels(data="scores.csv", images=9, low=1, high=5, range_given=True),
        held_out=HeldOut(images=6, srcc=0.8125, plcc=0.75, rmse=0.1, how="by a model that was trained on the other 24"),
        computed=computed_on(runtime),
        parameters=parameters(settings),
    )


@pytest.fixture
def scorer(model: PromptedCLIP) -> Scorer:
    """The tiny CLIP as a metric: shorter side 64 pixels, three crops of 48."""
    return Scorer(model, Input(views=((64, 3),), crop=48))


@pytest.fixture
def checkpoint(tmp_path: Path, scorer: Scorer, clip: CLIP, config: dict, settings: Params, card: Card) -> Path:
    """The scorer on disk."""
    backbone.save(tmp_path / "clip.safetensors", clip, config, settings.backbone)
    save(tmp_path / "scorer.safetensors", scorer, tmp_path / "clip.safetensors", settings.prompts, card)
    return tmp_path / "scorer.safetensors"
