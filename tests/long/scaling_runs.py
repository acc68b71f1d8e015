"""What `scaling_laws` measures: one run of each kind of work, at a size that is asked for.

Times are processor seconds of one thread, which a busy machine hardly changes. Models have their real sizes and random
weights, as what they compute takes no part in how long.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import torch

from grmp.crops import view_weights
from grmp.features import Features, frozen_features
from grmp.io.backbone import build
from grmp.model import first_trained_block, prompted
from grmp.runtime import start
from study import params
from study.data.backbones import architecture
from study.data.generate import make, single_recipes
from study.data.photos import read_manifest
from study.data.sets import Fold
from study.running.engine import ENGINE
from study.running.parallel import run_pieces
from study.stages.inputs import Inputs
from study.stages.tuning import tune
from study.variants import VARIANTS

GB = 1e9
ROOT = Path(__file__).parents[2]
STAGE = """stages:
  cell:
    matrix: {{cell: {cells}}}
    cmd: mkdir -p runs/${{item.cell}} && echo ${{item.cell}} > runs/${{item.cell}}/results.csv
    deps: {deps}
    params: [compute]
    outs: ["runs/${{item.cell}}"]
"""


def settings() -> params.Params:
    """The repository's, on one thread of the processor."""
    read = params.load(ROOT / "params.yaml")
    return read.model_copy(update={"compute": read.compute.model_copy(update={"threads": 1, "device": "cpu"})})


def in_fresh_process(function: Callable[..., float], sizes: tuple[tuple[int, ...], ...]) -> list[tuple[float, float]]:
    """For each size, from small to large, what the function returns, and the most memory that it needed, in GB."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(function, *sizes[0]).result()  # what is set up once is no part of any size
        return [(pool.submit(function, *size).result(), pool.submit(_peak).result()) for size in sizes]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB


def time_features(crops: int) -> float:
    """Seconds for the frozen blocks over so many crops."""
    own = settings()
    runtime = start(own.compute)
    clip = build(architecture(own.backbone, own.align), own.image.crop)
    model = prompted(clip, own.prompts).eval().requires_grad_(False)
    size = own.image.crop
    pictures = torch.randint(0, 256, (crops, 1, 3, size, size), dtype=torch.uint8)
    started = time.process_time()
    frozen_features(
        model,
        pictures,
        first_trained_block(model, own.finetune.blocks),
        runtime,
        "features",
        probe_blocks=own.finetune.probe_blocks,
    )
    return time.process_time() - started


def time_repeat(steps: int, evaluations: int, images: int) -> float:
    """Seconds for one repeat of the full variant, with as many test images."""
    own = settings()
    tuned = own.finetune.model_copy(update={"steps": steps, "evaluations": evaluations})
    runtime, labels = start(own.compute), 50
    clip = build(architecture(own.backbone, own.align), own.image.crop).requires_grad_(False)
    shape = (
        labels + images,
        len(view_weights(own.image.views)),
        1 + (own.image.crop // 16) ** 2,
        clip.visual.conv1.out_channels,
    )
    plain, meta = (_random_features(shape, clip.visual.output_dim, runtime.dtype) for _ in range(2))
    fold = Fold(torch.arange(labels), torch.arange(labels, labels + images))
    scores, pretrained = torch.rand(labels + images), prompted(clip, own.prompts)
    given = (plain, meta, scores, [fold], clip, pretrained, own.prompts, tuned, own.compute.seed, runtime)
    study = Inputs(*given)
    short = replace(study, finetune=tuned.model_copy(update={"steps": 1, "evaluations": 1}))
    tune(short, VARIANTS["full"], labels, own.qgr, "full", 1)  # what is set up once in a process
    started = time.process_time()
    tune(study, VARIANTS["full"], labels, own.qgr, "full", 1)
    return time.process_time() - started


def _random_features(shape: tuple[int, ...], embedding: int, dtype: torch.dtype) -> Features:
    weights = torch.full(shape[1:2], 1 / shape[1])
    return Features(torch.randn(shape, dtype=dtype), torch.randn(*shape[:2], embedding), weights)


def time_distortions(images: int) -> float:
    """Seconds for so many images, of every type in turn."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipes = single_recipes(read_manifest(ROOT / "assets/photos"), 1, seed=1)[:images]
    distort = settings().distort
    started = time.process_time()
    for recipe in recipes:
        make(recipe, recipe.photograph.path.read_bytes(), distort)
    return time.process_time() - started


def time_dvc(stages: int, files: int = 1) -> tuple[float, float, float]:
    """Seconds of `dvc repro` and of `dvc status`, and the lock's MB; the stages evenly over so many dvc.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        _dvc(folder, "init", "--no-scm", "-q")
        for part in range(files):
            _make_pipeline(Path(folder) / f"part{part}", stages // files)
        made = sum(_dvc(f"{folder}/part{part}", "repro", "-q") for part in range(files))
        locks = sum(path.stat().st_size for path in Path(folder).glob("*/dvc.lock"))
        return made, _dvc(folder, "status", "-q"), locks / 1e6


def time_folder(files: int) -> tuple[float]:
    """Seconds until DVC has taken in a folder of so many files."""
    with tempfile.TemporaryDirectory() as folder:
        _dvc(folder, "init", "--no-scm", "-q")
        (Path(folder) / "images").mkdir()
        for number in range(files):
            (Path(folder) / f"images/{number}.jpg").write_bytes(number.to_bytes(4) * 8_000)
        return (_dvc(folder, "add", "-q", "images"),)


def _make_pipeline(folder: Path, stages: int) -> None:
    folder.mkdir()
    names = [f"{number}.py" for number in range(20)]  # a cell depends on as many files
    for name in names:
        (folder / name).write_text(name)
    (folder / "params.yaml").write_text("compute: {threads: 2, seed: 1}\n")
    (folder / "dvc.yaml").write_text(STAGE.format(cells=list(range(stages)), deps=names))


def _dvc(folder: str, *arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def nothing(_: object, number: int) -> int:
    """What a piece that does nothing does."""
    return number


def time_cluster(pieces: int) -> tuple[float]:
    """Seconds by the clock for so many pieces that do nothing, on a cluster of this machine whose processes run."""
    os.environ[ENGINE] = "ray"
    try:
        results = run_pieces(nothing, ((number,) for number in range(pieces + 1)), threads=1)
        next(results)
        started = time.monotonic()
        list(results)
        return (time.monotonic() - started,)
    finally:
        del os.environ[ENGINE]
