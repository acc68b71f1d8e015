"""A clone of this checkout with a tiny CLIP, four photographs and small settings: real DVC and papermill in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from conftest import CONFIG, ROOT
from ruamel.yaml import YAML

from grmp.io import backbone
from grmp.settings import Backbone

TINY = {
    "compute": {"device": "cpu", "precision": "fp32", "threads": 1},
    "distort": {"short_side": 64, "levels_per_task": 2, "train_images": 12, "test_images": 8},
    "backbone": {"source": "local", "name": "tiny", "weights": "tiny.safetensors"},
    "align": {"crops": 2},
    "prompts": {"image_tokens": 2, "depth": 3},
    "image": {"views": [[48, 1], ["native", 1]], "crop": 48},
    "pretrain": {"outer_steps": 2, "tasks": 2, "support": 2, "query": 2},
    "finetune": {"steps": 4, "batch": 4, "evaluations": 2},
    "grid": {"variants": ["full", "without_qgr"], "labels": [4], "repeats": 2},
    "sweep": {"strengths": [], "labels": 4},
}
PHOTOGRAPHS = ["dachshund.jpg", "dogs_in_window.jpg", "flamingos_in_lake.jpg", "green_heron.jpg"]


def edit(folder: Path, changes: dict[str, dict]) -> None:
    """Change values in the params.yaml of `folder`; `choices` are replaced as a whole."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for section, values in changes.items():
        if section == "choices":
            content[section].clear()
        content[section].update(values)
    yaml.dump(content, folder / "params.yaml")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, with the tools of this environment and the library of the clone around it."""
    clone = folder if (folder / "grmp").is_dir() else folder.parent
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(clone)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


ON_PEOPLE = [f"reports/{name}/{file}" for name in ("livec", "biq2021") for file in ("comparisons.csv", "metrics.json")]
"""What the study of generated images reads of those of human scores."""


def make_clone(folder: Path) -> None:
    """Copy what git would, with small stand-ins for photographs and CLIP; `folder` becomes a repository of its own."""
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in files.stdout.splitlines():
        left_out = name.startswith(("reports/", "assets/", "dvc.lock", "tests/")) and name not in ON_PEOPLE
        if left_out or not (ROOT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    photos = folder / "assets/photos"
    (photos / "images").mkdir(parents=True)
    table = pd.read_csv(ROOT / "assets/photos/photos.csv")
    table[table["file"].isin(PHOTOGRAPHS)].to_csv(photos / "photos.csv", index=False)
    for name in PHOTOGRAPHS:
        shutil.copy(ROOT / "assets/photos/images" / name, photos / "images" / name)
    torch.manual_seed(0)
    tiny = Backbone(**TINY["backbone"])
    backbone.save(folder / "tiny.safetensors", backbone.build(CONFIG), CONFIG, tiny)
    edit(folder, TINY)
    for command in (["git", "init", "-q"], ["git", "add", "-A"], ["git", "commit", "-qm", "clone"]):
        run(folder, *command)
