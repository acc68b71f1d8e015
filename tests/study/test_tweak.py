"""The lines of docs/tweak.md do what the page says: they are taken from the page and applied as they stand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from dvc.repo import Repo
from PIL import Image
from ruamel.yaml import YAML

from study.data.backbones import architecture
from study.params import load

PAGE = (ROOT / "docs/tweak.md").read_text(encoding="utf-8")
TWEAKS = ("A ratio", "A variant", "A distortion", "A data set", "A backbone")
PROGRAM = """
import numpy as np
from study.data.distortions import DISTORTIONS, LEVELS, distort
from study.params import load
from study.reports.looks import LOOKS
from study.variants import VARIANTS

image = np.full((48, 64, 3), 200, dtype=np.uint8)
draws = np.random.default_rng(0)
corners = [int(distort(image, "vignette", level, draws)[0, 0, 0]) for level in LEVELS]
assert corners == sorted(corners, reverse=True), corners
assert corners[-1] < 50, corners
assert abs(int(distort(image, 26, 5, draws)[24, 32, 0]) - 200) < 5
assert distort(image, 25, 1, draws).shape == image.shape
assert [kind.number for kind in DISTORTIONS].count(26) == 1  # what the generated sets draw from
assert VARIANTS["prograd"].mpp and VARIANTS["prograd"].rule == {"when": "conflict"}
assert LOOKS["prograd"].title == "projected on conflict"
assert "prograd" in load().grid.variants
"""


def blocks(section: str, language: str) -> list[str]:
    """The fenced blocks of a language below a heading of the page."""
    text = re.split(r"^#+ [A-Z]", PAGE.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def edit(folder: Path, block: str) -> None:
    """Apply a block that begins with `# params.yaml`."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for section, values in yaml.load(block).items():
        content[section].update(values)
    yaml.dump(content, folder / "params.yaml")


def extend(folder: Path, block: str) -> None:
    """Put a block's lines where its first line says."""
    place, _, lines = block.partition("\n")
    name, where = re.fullmatch(r"# (\S+): (.*)", place).groups()
    text = (folder / name).read_text(encoding="utf-8")
    table = re.fullmatch(r"one line more inside (\w+)", where)
    end = text.index("\n}", text.index(f"{table[1]} = {{")) + 1 if table else len(text)
    body = text[:end] + lines + text[end:]
    (folder / name).write_text(body, encoding="utf-8")


def stages(folder: Path) -> set[str]:
    with Repo(str(folder)) as repo:
        return {stage.name for stage in repo.index.stages}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What defines the study, without its history and its results."""
    for package in ("grmp", "study"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml", ".dvc/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize("section", TWEAKS)
def test_a_tweak_takes_five_lines_or_fewer(section: str) -> None:
    found = [*blocks(section, "yaml"), *blocks(section, "python")]
    assert found
    lines = [line for block in found for line in block.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 5


def test_a_ratio_makes_its_own_stage_and_no_other(copy: Path) -> None:
    before = stages(copy)
    for block in blocks("A ratio", "yaml"):
        edit(copy, block)
    assert stages(copy) - before == {"finetune@0.5"}
    assert before <= stages(copy)


def test_a_variant_and_a_distortion_are_known_everywhere(copy: Path) -> None:
    for block in (*blocks("A variant", "python"), *blocks("A distortion", "python")):
        extend(copy, block)
    for block in blocks("A variant", "yaml"):
        edit(copy, block)
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_data_set_of_ones_own_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_photographs/images").mkdir(parents=True)
    for number in range(3):
        picture = Image.fromarray(np.full((40, 50, 3), 60 * number, dtype=np.uint8))
        picture.save(tmp_path / f"my_photographs/images/{number}.png")
    rows = pd.DataFrame({"image": ["0.png", "1.png", "2.png"], "mos": [1.0, 3.0, 5.0]})
    rows.to_csv(tmp_path / "my_photographs/scores.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks("A data set", "python"):
        exec(block, names)
    assert names["manifest"]["score"].tolist() == [0.0, 0.5, 1.0]


def test_a_backbone_passes_the_checks_and_is_built_as_named(copy: Path) -> None:
    for block in blocks("A backbone", "yaml"):
        edit(copy, block)
    params = load(copy / "params.yaml")
    assert params.backbone.source == "local"
    assert architecture(params.backbone, params.align)["vision_cfg"]["patch_size"] == 32


def test_values_of_experiments_are_valid(copy: Path) -> None:
    settings = [found for block in blocks("Experiments", "sh") for found in re.findall(r"-S (\w+)\.(\w+)=(\S+)", block)]
    assert settings
    for section, key, value in settings:
        assert key in load(ROOT / "params.yaml").model_dump()[section]
        edit(copy, f"{section}: {{{key}: {value}}}")
    load(copy / "params.yaml")
