"""What a command says when it is interrupted."""

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize(("error", "told"), [("KeyboardInterrupt", False), ("ValueError", True)])
def test_ctrl_c_while_a_command_imports_is_told_without_a_traceback(error: str, told: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import study; raise {error}"], cwd=ROOT, capture_output=True, text=True
    )
    assert ("Traceback" in done.stderr) is told
    assert ("interrupted" in done.stderr) is not told
    assert done.returncode != 0
