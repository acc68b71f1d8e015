import signal
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from study.data.datasets import matrix
from study.data.datasets.matrix import read_matrix


@pytest.fixture
def path(tmp_path: Path) -> Path:
    names = np.array([["a.bmp"], ["b.bmp"]], dtype=object)
    savemat(tmp_path / "m.mat", {"names": names, "scores": np.array([[1.5, np.nan, 3.0]])})
    return tmp_path / "m.mat"


def test_cells_are_text_and_numbers_numbers(path: Path) -> None:
    assert read_matrix(path, "names") == ["a.bmp", "b.bmp"]
    np.testing.assert_equal(read_matrix(path, "scores"), [1.5, float("nan"), 3.0])


def test_another_matrix_is_an_error_with_its_reason(path: Path) -> None:
    with pytest.raises(ValueError, match="KeyError: 'ratings'"):
        read_matrix(path, "ratings")


def test_a_reader_that_is_brought_down_takes_nobody_along(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = tmp_path / "down.py"
    down.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})\n")
    monkeypatch.setattr(matrix, "__file__", str(down))
    with pytest.raises(ValueError, match="its reader was brought down"):
        read_matrix(path, "scores")


def test_a_reader_that_hangs_is_ended(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(matrix, "__file__", str(slow))
    monkeypatch.setattr(matrix, "PATIENCE", 0.2)
    with pytest.raises(ValueError, match="not read within"):
        read_matrix(path, "scores")
