from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from grmp.errors import UserError
from grmp.io import tensors
from grmp.io.about import read_about
from grmp.io.tensors import read_checkpoint, write_tensors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "values.safetensors"


def test_what_is_written_comes_back_bit_for_bit(path: Path) -> None:
    values = {"a": torch.randn(3, 4), "b": torch.randn(2).bfloat16(), "transposed": torch.randn(5, 2).T}
    write_tensors(path, values, {"made": "here"})
    about, read = read_checkpoint(path)
    assert about == {"made": "here"}
    assert read.keys() == values.keys()
    assert all(read[name].dtype == value.dtype and torch.equal(read[name], value) for name, value in values.items())


def test_without_a_word_about_it_the_description_is_empty(path: Path) -> None:
    write_tensors(path, {"a": torch.ones(1, requires_grad=True)})
    about, read = read_checkpoint(path)
    assert about == {}
    assert not read["a"].requires_grad


def test_what_is_said_about_tensors_is_read_without_them(path: Path) -> None:
    write_tensors(path, {"a": torch.ones(1)}, {"made": "here"})
    assert read_about(path) == {"made": "here"}
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match=r"values\.safetensors: is not a whole"):
        read_about(path)


def test_equal_content_gives_equal_bytes(path: Path) -> None:
    written = set()
    for _ in range(8):
        write_tensors(path, {"b": torch.ones(1), "a": torch.zeros(2)}, {f"key {n}": str(n) for n in range(6)})
        written.add(path.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("metadata", [{"format": "pt"}, {"about": "no json"}, {"about": "[1]"}])
def test_what_others_say_of_their_tensors_is_passed_over(path: Path, metadata: dict[str, str]) -> None:
    path.parent.mkdir()
    tensors.save_file({"a": torch.ones(1)}, path, metadata=metadata)
    assert read_about(path) == {}


def test_nothing_stays_beside_the_file(path: Path) -> None:
    write_tensors(path, {"a": torch.ones(1)})
    write_tensors(path, {"a": torch.zeros(1)})
    assert list(path.parent.iterdir()) == [path]
    assert read_checkpoint(path)[1]["a"] == 0


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), SafetensorError("I/O error")])
def test_a_full_disk_is_told_and_the_former_file_stays(
    path: Path, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(path, {"a": torch.ones(1)})

    def half(values: dict, beside: Path, metadata: None) -> None:
        beside.write_bytes(b"half")
        raise problem

    monkeypatch.setattr(tensors, "save_file", half)
    with pytest.raises(UserError, match=r"values\.safetensors: cannot be written \((No space left|I/O error)"):
        write_tensors(path, {"a": torch.zeros(1)})
    assert read_checkpoint(path)[1]["a"] == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(UserError, match=r"values\.safetensors: no such checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_a_truncated_file_is_named(path: Path, share: float) -> None:
    write_tensors(path, {"a": torch.randn(1000)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=r"values\.safetensors: is not a whole safetensors file"):
        read_checkpoint(path)


def test_a_pickle_is_never_opened(path: Path) -> None:
    path.parent.mkdir()
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        read_checkpoint(path)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_numbers_that_are_not_finite_are_refused_with_the_tensors_name(
    path: Path, wrong: float, kind: torch.dtype
) -> None:
    write_tensors(path, {"a": torch.ones(2), "b": torch.tensor([0, wrong], dtype=kind)})
    with pytest.raises(UserError, match=r"values\.safetensors: tensor b holds numbers that are not finite"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", [torch.complex64, torch.float8_e4m3fn, torch.bool])
def test_numbers_of_another_kind_are_refused(path: Path, kind: torch.dtype) -> None:
    write_tensors(path, {"a": torch.ones(2).to(kind)})
    with pytest.raises(UserError, match="tensor a holds torch"):
        read_checkpoint(path)


@pytest.mark.parametrize("about", ["[" * 100_000, '{"config": 5}', '{"config": null}'])
def test_a_description_without_end_or_of_no_texts_is_passed_over(path: Path, about: str) -> None:
    path.parent.mkdir()
    tensors.save_file({"a": torch.ones(1)}, path, metadata={"about": about})
    assert read_about(path) == {}
