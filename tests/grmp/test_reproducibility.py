"""What a result depends on, and what not; docs/reliability.md says the same in words.

Equal bytes: the same seed on the same machine, whatever the hash seed, the locale, the order in which files were made.
Within a tolerance: another number of threads, another batch size of an evaluation, a GPU. Floating-point sums depend on
their order there. Tolerances are a few times the largest difference measured, which is told beside each.
"""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import ROOT
from safetensors.torch import load as tensors
from tiny_run import run

from grmp.features import frozen_features
from grmp.finetune import predict
from grmp.io.backbone import build
from grmp.metrics import DECIMALS, all_metrics
from grmp.model import PromptedCLIP, prompted
from grmp.runtime import Runtime
from grmp.scoring.inputs import find_images
from study.data.photos import read_manifest
from study.params import Params

TOLERANCE = {
    # One block as wide as the study's, 1 against 2 and 4 threads: 4e-8 in embeddings, none in tokens of size 5.
    "threads": {"rtol": 0, "atol": 1e-5},
    # After three steps of pre-training and four of fine-tuning, five seeds: 2.4e-5 in one prompt weight of 4096, else
    # 6e-6, and at most 1 in the last written decimal of a prediction. Adam divides a gradient by its own size, so that
    # the rounding of one that is nearly zero counts in full.
    "training": {"rtol": 0, "atol": 1e-4},
    # 1, 5 and 64 against 12 crops: 6e-8 in predictions, which lie between 0 and 1.
    "batch": {"rtol": 0, "atol": 1e-6},
    # Float32 on both. Not measured yet, so it is wide.
    "gpu": {"rtol": 0, "atol": 1e-3},
}
WIDE = {
    "embed_dim": 512,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 160, "layers": 2, "width": 768, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
"""Two blocks as wide as the study's image tower: the tiny one is too small to be shared out among threads."""
CPU = Runtime(torch.device("cpu"), "fp32")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> dict[str, bytes]:
    return run(tmp_path_factory.mktemp("first"), photographs)


@pytest.fixture
def wide(settings: Params) -> PromptedCLIP:
    chosen = settings.prompts.model_copy(update={"depth": 2})
    return prompted(build(WIDE), chosen).eval().requires_grad_(False)


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (6, 2, 3, 160, 160), dtype=torch.uint8)


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def test_the_same_seed_gives_the_same_bytes(first: dict[str, bytes], tmp_path: Path, photographs: Path) -> None:
    assert not differing(first, run(tmp_path, photographs))
    assert {Path(name).suffix for name in first} == {".jpg", ".csv", ".safetensors"}


def test_another_seed_gives_other_results(first: dict[str, bytes], tmp_path: Path, photographs: Path) -> None:
    other = run(tmp_path, photographs, seed=2)
    for name in ("prompts.safetensors", "features.safetensors", "losses.csv", "full/predictions.csv"):
        assert first[name] != other[name]


def test_neither_hash_seed_nor_locale_nor_time_zone_have_an_effect(
    first: dict[str, bytes], tmp_path: Path, photographs: Path
) -> None:
    folder = ROOT / "tests"
    odd = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kolkata"}
    environment = {**os.environ, **odd, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, folder / "tiny_run.py", tmp_path, photographs]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    made = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not differing(first, made)


def test_the_order_of_files_on_disk_has_no_effect(first: dict[str, bytes], tmp_path: Path, photographs: Path) -> None:
    (tmp_path / "photographs/images").mkdir(parents=True)
    for path in sorted(photographs.rglob("*.*"), reverse=True):
        shutil.copy(path, tmp_path / "photographs" / path.relative_to(photographs))
    assert not differing(first, run(tmp_path / "run", tmp_path / "photographs"))


def test_images_of_a_folder_come_by_name(tmp_path: Path, photographs: Path) -> None:
    paths = [photograph.path for photograph in read_manifest(photographs)]
    for folder, order in (("one", paths), ("other", paths[::-1])):
        (tmp_path / folder).mkdir()
        for path in order:
            shutil.copy(path, tmp_path / folder)
    one, other = ([path.name for path in find_images([tmp_path / folder])] for folder in ("one", "other"))
    assert one == other == sorted(path.name for path in paths)


def test_one_and_two_threads_agree_within_the_tolerance(wide: PromptedCLIP, crops: torch.Tensor) -> None:
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(frozen_features(wide, crops, 1, CPU, "test"))
    torch.testing.assert_close(found[0].embeddings, found[1].embeddings, **TOLERANCE["threads"])
    torch.testing.assert_close(found[0].tokens, found[1].tokens, **TOLERANCE["threads"])


def test_a_whole_run_with_two_threads_agrees_within_the_tolerance(
    first: dict[str, bytes], tmp_path: Path, photographs: Path
) -> None:
    other = run(tmp_path, photographs, threads=2)
    agree(first, other, TOLERANCE["training"])


def agree(one: dict[str, bytes], other: dict[str, bytes], tolerance: dict[str, float]) -> None:
    """Images and labels are equal; learned tensors and predictions agree within `tolerance`."""
    assert not [name for name in differing(one, other) if name.startswith("set/")]
    for name in ("prompts.safetensors", "features.safetensors"):
        found, expected = tensors(one[name]), tensors(other[name])
        for key, value in found.items():
            torch.testing.assert_close(value, expected[key], **tolerance)
    for name in ("full/predictions.csv", "ridge/predictions.csv"):
        found, expected = (torch.tensor(pd.read_csv(io.BytesIO(run[name]))["predicted"]) for run in (one, other))
        written = tolerance["atol"] + 10**-DECIMALS  # a difference can fall on the edge of the last written decimal
        torch.testing.assert_close(found, expected, rtol=0, atol=written)


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_the_batch_size_of_an_evaluation_changes_no_written_decimal(
    wide: PromptedCLIP, crops: torch.Tensor, batch: int
) -> None:
    features = frozen_features(wide, crops, 1, CPU, "test")
    whole, parts = (predict(wide, features, 1, CPU, size) for size in (12, batch))
    torch.testing.assert_close(parts, whole, **TOLERANCE["batch"])
    assert torch.equal(parts.round(decimals=DECIMALS), whole.round(decimals=DECIMALS))
    truth = torch.rand(6).numpy()
    assert all_metrics(parts.numpy(), truth) == all_metrics(whole.numpy(), truth)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_cpu_and_gpu_agree_within_the_tolerance(first: dict[str, bytes], tmp_path: Path, photographs: Path) -> None:
    agree(first, run(tmp_path, photographs, device="cuda"), TOLERANCE["gpu"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same_bytes_twice(tmp_path: Path, photographs: Path) -> None:
    one, other = (run(tmp_path / name, photographs, device="cuda") for name in ("one", "other"))
    assert not differing(one, other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_features_of_real_width_agree_on_cpu_and_gpu(wide: PromptedCLIP, crops: torch.Tensor) -> None:
    one = frozen_features(wide, crops, 1, CPU, "test")
    other = frozen_features(wide.to("cuda"), crops, 1, Runtime(torch.device("cuda"), "fp32"), "test")
    torch.testing.assert_close(one.embeddings, other.embeddings, **TOLERANCE["gpu"])
