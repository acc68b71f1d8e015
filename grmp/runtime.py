"""Device, precision, threads and seeds: what a number depends on besides data and parameters."""

import ctypes
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

import torch
from threadpoolctl import threadpool_limits

from grmp.errors import UserError
from grmp.settings import Compute


@dataclass(frozen=True)
class Runtime:
    """Where tensors live and in which precision matrix products run (master weights are always float32)."""

    device: torch.device
    precision: str

    @property
    def dtype(self) -> torch.dtype:
        """The type in which activations are kept."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def autocast(self) -> AbstractContextManager:
        """Matrix products in the chosen precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def start(compute: Compute) -> Runtime:
    """Fix threads and seeds, and choose device and precision.

    Raises:
        UserError: `device: cuda` where there is none.
    """
    _keep_freed_memory()
    device = find_device(compute.device, "params.yaml: compute.device")
    torch.set_num_threads(compute.threads)
    threadpool_limits(1, user_api="blas")  # numpy's: more add up in another order, and wait for work beside torch's
    torch.manual_seed(compute.seed)
    precision = compute.precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" or _multiplies_bf16() else "fp32"
    return Runtime(device, precision)


def find_device(wanted: Literal["auto", "cpu", "cuda"], key: str = "device") -> torch.device:
    """The device to compute on; `auto` is the GPU where there is one. `key` says where the user wrote it.

    Raises:
        UserError: `cuda` where there is none.
    """
    cuda = torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise UserError(f"{key} is cuda, but torch finds no GPU here; write auto or cpu")
    return torch.device("cuda" if cuda and wanted != "cpu" else "cpu")


def _keep_freed_memory() -> None:
    """Have glibc reuse large blocks: new pages for every tensor are up to half of the time on a virtual machine."""
    with suppress(AttributeError):  # another C library
        adjust = ctypes.CDLL(None).mallopt
        adjust(-4, 0)  # M_MMAP_MAX: blocks come from the heap, none from mmap
        adjust(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: bytes that stay on top of the heap


def _multiplies_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has bf16 matrix instructions: emulated, they are slower than float32."""
    return cpuinfo.is_file() and "avx512_bf16" in cpuinfo.read_text(encoding="utf-8")


class Stream(IntEnum):
    """The random streams of the study: no two draws share one."""

    ALIGNMENT_CROPS = 4
    ALIGNMENT = 5
    LABELLED_IMAGES = 20
    FRESH_CONTEXT = 21
    FINE_TUNING = 22
    QUERY_PHOTOGRAPHS = 30
    FRESH_PROMPTS = 31
    TASKS = 32
    FIT = 33


def generator(seed: int, stream: Stream, *draw: int) -> torch.Generator:
    """A generator for one draw of a stream, named by numbers such as the repeat."""
    mixed = seed
    for number in (stream, *draw):
        mixed = (mixed * 1_000_003 + int(number) + 1) % 2**63
    return torch.Generator().manual_seed(mixed)
