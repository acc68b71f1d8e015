import shutil
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from ipywidgets import Widget
from open_clip import CLIP
from tiny_study import make_study

from study.playground import playground
from study.playground.live_output import follow
from study.playground.playground import ImageControls

CELLS = [
    cell.source for cell in nbformat.read(ROOT / "notebooks/90_explore.ipynb", 4).cells if cell.cell_type == "code"
]


@pytest.fixture
def study(tmp_path: Path, photographs: Path, clip: CLIP, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny finished study; the current folder is its notebooks/, where a notebook starts."""
    make_study(tmp_path, photographs, clip)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def run_notebook(published: list[dict]) -> list[list[dict]]:
    """Outputs of each code cell."""
    names, outputs = {}, []
    for source in CELLS:
        before = len(published)
        exec(source, names)
        outputs.append(published[before:])
    return outputs


def words(outputs: list[dict]) -> str:
    return "\n".join(output["data"].get("text/markdown", "") for output in outputs)


def pictures(outputs: list[dict]) -> int:
    return sum("image/jpeg" in output["data"] or "Figure" in output["data"].get("text/plain", "") for output in outputs)


def test_every_cell_leaves_words_and_a_picture(study: Path, published: list[dict]) -> None:
    beginning, *sections = run_notebook(published)
    assert "12 photographs, 6 labelled images; models: *pre-trained prompts*, *fresh prompts*" in words(beginning)
    assert [pictures(outputs) for outputs in sections] == [1, 1, 1]
    for outputs, expected in zip(sections, ("Quality **0.", "A: fresh prompts: quality **0.", "The gradients")):
        assert expected in words(outputs)


def test_without_a_study_a_line_says_so_and_the_gradients_can_still_be_turned(
    study: Path, published: list[dict]
) -> None:
    shutil.rmtree(study / "artifacts")
    beginning, looked, compared, turned = run_notebook(published)
    assert "artifacts/weights/clip.safetensors" in words(beginning)
    assert "`dvc repro` makes it" in words(beginning)
    assert looked == compared == []
    assert pictures(turned) == 1


def test_outside_the_repository_a_line_says_so(
    tmp_path: Path, published: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert playground.open_study() is None
    assert "inside the repository" in words(published)


def test_a_move_of_the_level_gives_another_quality(
    study: Path, published: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[Widget] = []
    monkeypatch.setattr(playground, "follow", lambda *parts: (inputs.extend(parts[1]), follow(*parts)))
    playground.show_scores(playground.open_study())
    before = words(published[-2:])
    [slider] = [widget for widget in inputs if widget.description == "level"]
    slider.value = 5
    assert words(published[-2:]).startswith("Quality **")
    assert words(published[-2:]) != before
    assert pictures(published[-2:]) == 1


def test_an_uploaded_image_is_chosen_and_one_that_is_none_is_named(study: Path, published: list[dict]) -> None:
    controls = ImageControls(playground.open_study())
    content = next((study / "data/images").iterdir()).read_bytes()
    controls._take({"new": ({"name": "mine.jpg", "content": memoryview(content)},)})
    assert controls.choice.photograph == "mine.jpg"
    controls._take({"new": ({"name": "broken.jpg", "content": memoryview(content[:100])},)})
    assert "broken.jpg" in controls.complaint.value
    assert controls.choice.photograph == "mine.jpg"
