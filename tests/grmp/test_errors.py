import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from grmp.errors import NO_MEMORY, UserError, in_one_line, is_want_of_memory


def complain() -> None:
    raise UserError("params.yaml: compute.seed: too small")


def open_nothing() -> None:
    Path("nowhere.txt").read_text(encoding="utf-8")


def divide() -> None:
    print(1 / 0)


def test_what_the_user_can_mend_ends_in_one_line() -> None:
    with pytest.raises(SystemExit) as end, in_one_line():
        complain()
    assert end.value.code == "error: params.yaml: compute.seed: too small"


def test_a_file_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(SystemExit) as end, in_one_line():
        open_nothing()
    assert end.value.code == "error: nowhere.txt: No such file or directory"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), in_one_line():
        divide()


def test_at_the_shell_the_line_goes_to_stderr_without_a_traceback() -> None:
    code = "from grmp.errors import *\nwith in_one_line():\n raise UserError('a.txt: is empty')"
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


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes.")],
)
def test_want_of_memory_ends_in_one_line(error: Exception) -> None:
    with pytest.raises(SystemExit) as end, in_one_line():
        raise error
    assert end.value.code == f"error: {NO_MEMORY}"


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        ("_ArrayMemoryError", "Unable to allocate 7.28 TiB for an array", True),
        ("OutOfMemoryError", "CUDA out of memory.", True),
        ("RuntimeError", "shapes do not match", False),
    ],
)
def test_want_of_memory_is_known_by_class_or_words(name: str, message: str, expected: bool) -> None:
    assert is_want_of_memory(name, message) == expected


def test_other_errors_of_torch_keep_their_traceback() -> None:
    with pytest.raises(RuntimeError, match="shapes"), in_one_line():
        raise RuntimeError("shapes do not match")


def test_in_an_ascii_locale_words_are_utf8_and_bytes_of_names_pass() -> None:
    code = "import sys\nfrom grmp.errors import *\nwith in_one_line():\n"
    code += " print('\\u2026', sys.argv[1])\n raise UserError('\\u00e4')"
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    command = [sys.executable, "-c", code, "größe"]
    done = subprocess.run(command, env={**os.environ, **odd}, cwd=ROOT, capture_output=True, check=False)
    assert (done.stdout.decode(), done.stderr.decode()) == ("… größe\n", "error: ä\n")
