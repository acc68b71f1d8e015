import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from study.running import kept
from study.running.kept import KeptFile, kept_training, sources

TENSORS = {"a": torch.tensor([0.1, -0.0]), "b": torch.tensor(0.2, dtype=torch.bfloat16)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a kept file that depends on a number, a tensor and a text."""
    KeptFile(tmp_path / "x.safetensors", 1, torch.zeros(2), "full").write(TENSORS, {"steps": "[1, 2]"})
    return tmp_path / "x.safetensors"


def test_what_was_kept_comes_back_to_the_bit(path: Path) -> None:
    about, tensors = KeptFile(path, 1, torch.zeros(2), "full").read()
    assert about == {"steps": "[1, 2]"}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(value.signbit(), tensors[name].signbit()) for name, value in TENSORS.items())
    assert all(torch.equal(value, tensors[name]) for name, value in TENSORS.items())


@pytest.mark.parametrize(
    "depends", [(2, torch.zeros(2), "full"), (1, torch.tensor([0.0, 1e-9]), "full"), (1, torch.zeros(2))]
)
def test_what_depends_on_other_things_is_not_read_and_replaces_the_file(path: Path, depends: tuple) -> None:
    other = KeptFile(path, *depends)
    assert other.read() is None
    other.write({"c": torch.ones(1)}, {})
    assert other.read() == ({}, {"c": torch.ones(1)})
    assert KeptFile(path, 1, torch.zeros(2), "full").read() is None
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_half_a_file_is_not_read(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert KeptFile(path, 1, torch.zeros(2), "full").read() is None


def test_a_file_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    assert KeptFile(tmp_path / "none.safetensors").read() is None


@pytest.fixture
def _fresh_sources() -> Iterator[None]:
    sources.cache_clear()
    yield
    sources.cache_clear()


@pytest.mark.usefixtures("_fresh_sources")
def test_code_threads_and_version_are_part_of_what_everything_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> str:
        sources.cache_clear()
        return sources()

    monkeypatch.setattr(kept, "ROOT", tmp_path)
    (tmp_path / "grmp").mkdir()
    (tmp_path / "grmp/a.py").write_text("x = 1")
    first = found()
    (tmp_path / "grmp/a.py").write_text("x = 2")
    code = found()
    (tmp_path / "grmp/a.py").write_text("x = 1")
    assert found() == first
    torch.set_num_threads(2)
    threads = found()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "__version__", "0")
    assert len({first, code, threads, found()}) == 4


def test_a_training_that_goes_on_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_training("alignment", 1, folder=tmp_path).write(TENSORS, {})
    assert capsys.readouterr().out == ""
    assert kept_training("alignment", 2, folder=tmp_path).read() is None
    assert capsys.readouterr().out == ""
    assert kept_training("alignment", 1, folder=tmp_path).read() is not None
    assert capsys.readouterr().out == "   … alignment: goes on where it was interrupted\n"
    shutil.rmtree(tmp_path)
    assert kept_training("alignment", 1, folder=tmp_path).read() is None
    assert capsys.readouterr().out == ""
