"""What a finished study leaves, tiny: twelve photographs of 64 pixels, a CLIP of three blocks, eight target images."""

import shutil
from pathlib import Path

import pandas as pd
import torch
from conftest import CONFIG, ROOT, SMALL
from open_clip import CLIP
from ruamel.yaml import YAML

from grmp.io import backbone
from grmp.io.prompts_file import save_prompts
from grmp.model import prompted
from grmp.settings import Backbone
from study import params
from study.data import manifests, photos
from study.data.labels import LabelMap
from study.stages import features


def make_study(folder: Path, photographs: Path, clip: CLIP) -> None:
    """Write params.yaml, data/ and artifacts/ below `folder`."""
    yaml, path = YAML(), folder / "params.yaml"
    content = yaml.load(ROOT / "params.yaml")
    for section, values in {**SMALL, "distort": {"short_side": 64}}.items():
        content[section].update(values)
    yaml.dump(content, path)
    settings, artifacts = params.load(path), folder / "artifacts"
    shutil.copytree(photographs, folder / "data")
    tiny = Backbone(source="local", name="tiny", weights="tiny.safetensors")
    clip_path, prompts_path = artifacts / "weights/clip.safetensors", artifacts / "prompts/prompts.safetensors"
    backbone.save(clip_path, clip, CONFIG, tiny)
    torch.manual_seed(5)
    save_prompts(prompts_path, prompted(clip, settings.prompts))
    _make_target(artifacts / "distorted/target", photos.read_manifest(photographs))
    LabelMap([0.0, 0.5, 1.0], [0.0, 0.4, 0.9]).save(artifacts / "distorted/label_map.json")
    paths = {"target": artifacts / "distorted/target", "clip_path": clip_path, "prompts_path": prompts_path}
    features.main(artifacts / "features", **paths, params_path=path)


def _make_target(folder: Path, photographs: list[photos.Photograph]) -> None:
    (folder / "images").mkdir(parents=True)
    columns = ["image", "score", "photograph", "distortions", "levels", "scene", "part"]
    rows = []
    for index, photo in enumerate(photographs[:8]):
        shutil.copy(photo.path, folder / "images")
        part = "train" if index < 6 else "test"
        rows.append((f"images/{photo.path.name}", index / 10, photo.name, "1+2", "1+1", photo.scene, part))
    manifests.write_manifest(folder, pd.DataFrame(rows, columns=columns))
