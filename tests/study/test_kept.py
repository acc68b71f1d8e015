import shutil
from pathlib import Path

import pytest
import torch

from study.running.kept import KeptFile, kept_training

CODE = "study.stages.alignment"
TENSORS = {"a": torch.tensor([0.1, -0.0]), "b": torch.tensor(0.2, dtype=torch.bfloat16)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a kept file that depends on a number, a tensor and a text."""
    KeptFile(tmp_path / "x.safetensors", CODE, 1, torch.zeros(2), "full").write(TENSORS, {"steps": "[1, 2]"})
    return tmp_path / "x.safetensors"


def test_what_was_kept_comes_back_to_the_bit(path: Path) -> None:
    about, tensors = KeptFile(path, CODE, 1, torch.zeros(2), "full").read()
    assert about == {"steps": "[1, 2]"}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(value.signbit(), tensors[name].signbit()) for name, value in TENSORS.items())
    assert all(torch.equal(value, tensors[name]) for name, value in TENSORS.items())


@pytest.mark.parametrize(
    "depends", [(2, torch.zeros(2), "full"), (1, torch.tensor([0.0, 1e-9]), "full"), (1, torch.zeros(2))]
)
def test_what_depends_on_other_things_is_not_read_and_replaces_the_file(path: Path, depends: tuple) -> None:
    other = KeptFile(path, CODE, *depends)
    assert other.read() is None
    other.write({"c": torch.ones(1)}, {})
    assert other.read() == ({}, {"c": torch.ones(1)})
    assert KeptFile(path, CODE, 1, torch.zeros(2), "full").read() is None
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_half_a_file_is_not_read(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert KeptFile(path, CODE, 1, torch.zeros(2), "full").read() is None


def test_a_file_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    assert KeptFile(tmp_path / "none.safetensors", CODE).read() is None


def test_code_threads_and_version_are_part_of_what_everything_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(code: str = CODE) -> str:
        return KeptFile(tmp_path / "x", code, 1).key

    threads, first = torch.get_num_threads(), found()
    torch.set_num_threads(threads + 1)
    more = found()
    torch.set_num_threads(threads)
    assert found() == first
    monkeypatch.setattr(torch, "__version__", "0")
    assert len({first, more, found(), found("study.stages.tuning")}) == 4


def test_a_training_that_goes_on_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_training("alignment", CODE, 1, folder=tmp_path).write(TENSORS, {})
    assert capsys.readouterr().out == ""
    assert kept_training("alignment", CODE, 2, folder=tmp_path).read() is None
    assert capsys.readouterr().out == ""
    assert kept_training("alignment", CODE, 1, folder=tmp_path).read() is not None
    assert capsys.readouterr().out == "   … alignment: goes on where it was interrupted\n"
    shutil.rmtree(tmp_path)
    assert kept_training("alignment", CODE, 1, folder=tmp_path).read() is None
    assert capsys.readouterr().out == ""
