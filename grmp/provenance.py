"""What made a report: code, parameters, machine, versions; the table at the foot of every notebook."""

import io
import platform
import re
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch
from pandas.io.formats.style import Styler
from ruamel.yaml import YAML

PACKAGES = ("torch", "open_clip_torch", "numpy", "pandas", "scipy", "dvc", "papermill")
# Reports are written while the pipeline runs, so they differ from the commit whenever it has something to say.
GENERATED = (":(top,exclude)reports", ":(top,exclude,glob)**/dvc.lock")


def provenance(sections: dict[str, dict], backbone: str, device: str, precision: str, started: float) -> Styler:
    """A two-column table of everything that a reader needs to make this report again.

    Holds no absolute path and no host name. The frame itself, with columns `what` and `value`, is the result's `.data`.

    Args:
        sections: the sections of params.yaml that the notebook was given, under their names.
        backbone: which CLIP, in words.
        device: torch's name of the device in use, such as cpu or cuda.
        precision: such as fp32 or bf16.
        started: `time.time()` at the notebook's start, in seconds.
    """
    rows = {
        "grmp": f"{_version('grmp')}, commit {commit()}",
        **{f"params: {name}": compact(values) for name, values in sections.items()},
        "backbone": backbone,
        "device": device_name(device),
        "precision": precision,
        "versions": ", ".join([f"python {platform.python_version()}", *(f"{p} {_version(p)}" for p in PACKAGES)]),
        "duration": f"{_duration(time.time() - started)} (h:mm:ss)",
    }
    frame = pd.DataFrame(rows.items(), columns=["what", "value"])
    # A fixed id, as the random one would change the notebook's bytes.
    left = {"selector": "th, td", "props": "text-align: left"}
    return Styler(frame, uuid="provenance", cell_ids=False).hide(axis="index").set_table_styles([left])


def commit() -> str:
    """Short hash of the checkout's commit, `with changes` if tracked files differ from it; reports do not count."""
    head = _git("rev-parse", "--short", "HEAD")
    if not head:
        return "unknown (not a git checkout)"
    return f"{head} with changes" if _git("status", "--porcelain", "-uno", "--", ":/", *GENERATED) else head


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def compact(values: dict) -> str:
    """One line of YAML without the outer braces, such as `steps: 25, labels: [10, 50, 0.2]`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = True, False, 100_000
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue().strip()[1:-1]


def device_name(device: str) -> str:
    """The GPU's name, or the processor's with the number of threads in use."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    name = re.search(r"^model name\s*: *(.+)$", text, flags=re.MULTILINE)
    return name[1].strip() if name else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)  # the clock may have been set back
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
