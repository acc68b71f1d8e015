from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from study.running.journal import Journal, digest

from grmp.io.paths import UNFINISHED_VARIABLE
from study.running import journal


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(UNFINISHED_VARIABLE, str(tmp_path / "unfinished"))
    return tmp_path / "unfinished"


def counted(calls: list[int], value: float) -> dict[str, torch.Tensor]:
    calls.append(1)
    return {"a": torch.tensor([value, -0.0]), "b": torch.tensor(value, dtype=torch.bfloat16)}


def test_a_piece_is_made_once_and_comes_back_to_the_bit() -> None:
    calls: list[int] = []
    made = [Journal("x", 1).tensors("p", partial(counted, calls, value)) for value in (0.1, 0.2)]
    assert len(calls) == 1
    assert all(digest(made[0][name]) == digest(made[1][name]) for name in ("a", "b"))


def test_tables_come_back_with_their_types() -> None:
    table = pd.DataFrame(
        {
            "variant": ["full", "ridge"],
            "labels": [50, 50],
            "share": [0.2, 0.1 + 0.2],
            "predicted": np.array([0.1, 1 / 3], np.float32),
            "cosine": [np.nan, -1e-17],
        }
    )
    made = [Journal("x").tables("p", lambda found=found: found) for found in ({"t": table, "none": pd.DataFrame()}, {})]
    pd.testing.assert_frame_equal(made[1]["t"], table, check_exact=True)
    assert set(made[1]) == {"t", "none"}
    assert made[1]["none"].empty


def test_without_the_variable_nothing_is_kept(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(UNFINISHED_VARIABLE)
    calls: list[int] = []
    for _ in range(2):
        Journal("x").tensors("p", partial(counted, calls, 1.0))
    assert len(calls) == 2
    assert not kept.exists()


def test_what_depends_on_other_things_is_not_found_and_the_old_is_removed(kept: Path) -> None:
    calls: list[int] = []
    for depends in (torch.zeros(2), torch.tensor([0.0, 1e-9])):
        Journal("x", depends).tensors("p", partial(counted, calls, 1.0))
    assert len(calls) == 2
    assert len(list((kept / "x").iterdir())) == 1
    Journal("y").tensors("p", partial(counted, calls, 1.0))
    assert sorted(path.name for path in kept.iterdir()) == ["x", "y"]


@pytest.mark.parametrize("length", [0, 7, 60])
def test_a_piece_that_is_not_whole_is_made_again(kept: Path, length: int) -> None:
    calls: list[int] = []
    Journal("x").tensors("p", partial(counted, calls, 1.0))
    path = next(kept.rglob("p.safetensors"))
    path.write_bytes(path.read_bytes()[:length])
    again = Journal("x").tensors("p", partial(counted, calls, 1.0))
    assert len(calls) == 2
    assert again["a"].tolist() == [1.0, -0.0]


def test_kept_pieces_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Journal("pre-train").write("p", {"a": torch.zeros(1)})
    assert capsys.readouterr().out == ""
    Journal("pre-train")
    assert capsys.readouterr().out == "   … pre-train: goes on where it was interrupted, with 1 kept pieces\n"


def test_the_code_is_part_of_what_pieces_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LIBRARY", tmp_path)
    (tmp_path / "a.py").write_text("x = 1")
    digests = []
    for code in ("x = 1", "x = 2", "x = 1"):
        (tmp_path / "a.py").write_text(code)
        journal.library.cache_clear()
        digests.append(journal.library())
    journal.library.cache_clear()
    assert digests[0] == digests[2] != digests[1]


DIFFERENT = [
    [1, 2],
    [[1], 2],
    [1, [2]],
    "12",
    12,
    12.0,
    True,
    None,
    {"a": 1},
    [["a", 1], 0],
    torch.tensor([1.0, 2.0]),
    torch.tensor([[1.0, 2.0]]),
    torch.tensor([1, 2]),
]


def test_different_content_gives_different_digests_and_equal_content_equal_ones() -> None:
    digests = [digest(value) for value in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)
    assert digests == [digest(value) for value in DIFFERENT]


def test_a_value_whose_content_is_not_known_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot depend on a object"):
        digest([object()])
