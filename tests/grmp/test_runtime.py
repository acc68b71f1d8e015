import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grmp import runtime
from grmp.errors import UserError
from grmp.runtime import find_device, generator, start
from grmp.settings import Compute
from study.params import Params


@pytest.fixture
def compute(settings: Params) -> Compute:
    return settings.compute


def draws(*numbers: int) -> list[float]:
    return torch.rand(4, generator=generator(*numbers)).tolist()


def test_a_draw_is_named_by_its_numbers() -> None:
    assert draws(1, 20, 3) == draws(1, 20, 3)


def test_other_numbers_give_other_draws() -> None:
    names = [
        (seed, *draw) for seed in range(3) for draw in [(0, 0), (0, 1), (1, 0), (20, 1), (20, 2), (21, 1), (1, 20)]
    ]
    assert len({tuple(draws(*name)) for name in names}) == len(names)


def test_large_seeds_are_possible() -> None:
    assert draws(2**62, 2**40, 5) != draws(2**62, 2**40, 6)


def test_starting_fixes_threads_and_seed(compute: Compute) -> None:
    drawn = []
    for seed in (5, 5, 6):
        start(compute.model_copy(update={"seed": seed, "threads": 1}))
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    start(compute.model_copy(update={"threads": 2}))
    assert torch.get_num_threads() == 2


NEW_PAGES = """
import resource, torch
from grmp.runtime import start
from grmp.settings import Compute
start(Compute(device="cpu", precision="fp32", threads=1, seed=1))
for _ in range(8):  # freed blocks become one that is large enough for the next, however it is aligned
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_a_large_block_is_used_again_without_new_pages() -> None:
    done = subprocess.run([sys.executable, "-c", NEW_PAGES], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16_384  # pages of one block


def test_a_gpu_that_is_not_there_is_told_with_its_key(compute: Compute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"params\.yaml: compute\.device is cuda"):
        start(compute.model_copy(update={"device": "cuda"}))


def test_a_device_is_named_by_what_the_user_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert {find_device(wanted).type for wanted in ("auto", "cpu")} == {"cpu"}
    with pytest.raises(UserError, match=r"^device is cuda, but"):
        find_device("cuda")


@pytest.mark.parametrize(
    ("device", "precision", "gpu", "multiplies", "expected"),
    [
        ("auto", "auto", False, False, ("cpu", "fp32")),
        ("auto", "auto", False, True, ("cpu", "bf16")),
        ("auto", "auto", True, False, ("cuda", "bf16")),
        ("cpu", "auto", True, False, ("cpu", "fp32")),
        ("auto", "fp32", True, True, ("cuda", "fp32")),
        ("cpu", "bf16", False, False, ("cpu", "bf16")),
    ],
)
def test_device_and_precision_are_chosen_from_what_is_there(
    compute: Compute,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    precision: str,
    gpu: bool,
    multiplies: bool,
    expected: tuple[str, str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(runtime, "_multiplies_bf16", lambda: multiplies)
    chosen = start(compute.model_copy(update={"device": device, "precision": precision}))
    assert (chosen.device.type, chosen.precision) == expected


@pytest.mark.parametrize(("flags", "has"), [("avx2 avx512_bf16 amx", True), ("avx2 avx512f", False), (None, False)])
def test_the_processor_is_asked_for_its_instructions(tmp_path: Path, flags: str | None, has: bool) -> None:
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert runtime._multiplies_bf16(tmp_path / "cpuinfo") == has


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrix_products_run_in_the_precision_and_weights_stay_float32(precision: str, dtype: torch.dtype) -> None:
    chosen = runtime.Runtime(torch.device("cpu"), precision)
    weights = torch.randn(3, 3)
    with chosen.autocast():
        assert (weights @ weights).dtype == dtype
    assert chosen.dtype == dtype
    assert weights.dtype == torch.float32
