"""The machine that computes, in words, to stand beside its numbers."""

import platform
import re
from pathlib import Path

import torch


def device_name(device: str) -> str:
    """The GPU's name, or the processor's with the number of threads in use; `device` is torch's name, such as cpu."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return f"{processor()}, {torch.get_num_threads()} threads"


def processor() -> str:
    """The processor's name, with the numbers that tell apart those of one name, on which last digits can differ."""
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*: *(.+)$", text, flags=re.MULTILINE))
    if len(fields) < 3:
        return fields.get("model name") or platform.processor() or platform.machine()
    return f"{fields['model name'].strip()} (family {fields['cpu family']}, model {fields['model']})"
