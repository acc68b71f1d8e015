import subprocess
import sys
from pathlib import Path

import pytest

from grmp.errors import UserError, run_command


def complain() -> None:
    raise UserError("params.yaml: compute.seed: too small")


def open_nothing() -> None:
    Path("nowhere.txt").read_text(encoding="utf-8")


def divide() -> None:
    print(1 / 0)


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["command"])


def test_what_the_user_can_mend_ends_in_one_line() -> None:
    with pytest.raises(SystemExit) as end:
        run_command(complain)
    assert end.value.code == "error: params.yaml: compute.seed: too small"


def test_a_file_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(SystemExit) as end:
        run_command(open_nothing)
    assert end.value.code == "error: nowhere.txt: No such file or directory"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(divide)


def test_success_exits_with_zero() -> None:
    with pytest.raises(SystemExit) as end:
        run_command(lambda: None)
    assert not end.value.code


def test_at_the_shell_the_line_goes_to_stderr_without_a_traceback() -> None:
    code = "from grmp.errors import *\ndef f():\n raise UserError('a.txt: is empty')\nrun_command(f)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (1, "error: a.txt: is empty\n", "")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines\r\n", "two lines  "),
        ("\x1b[2Jred", "\\x1b[2Jred"),
        ("a\u202eb\x00", "a\\u202eb\\x00"),
        ("caf\udce9.png", "caf\\udce9.png"),
        ("é 写真", "é 写真"),
    ],
)
def test_a_message_is_one_line_that_can_be_printed(given: str, shown: str) -> None:
    assert str(UserError(given)) == shown
    assert shown.isprintable()


def test_of_a_long_message_both_ends_stay() -> None:
    found = str(UserError("file: " + "x" * 10_000 + "; remedy"))
    assert len(found) < 1300
    assert found.startswith("file: x")
    assert found.endswith("x; remedy")
