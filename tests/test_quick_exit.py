import signal
import subprocess
import sys

import pytest

CODE = """
import atexit, sys, threading, time
from grmp.quick_exit import quick_exit
class Slow:
    def __del__(self):
        time.sleep(0 if "Keyboard" in "{end}" else 60)
kept = Slow()
atexit.register(print, "before")
with quick_exit():
    atexit.register(print, "inside")
    threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
    print("work", end=" ")
    {end}
"""


def run(end: str) -> tuple[str, str, int]:
    command = [sys.executable, "-c", CODE.replace("{end}", end)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('words')", 1, "words\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
    ],
)
def test_the_end_is_the_same_but_quick(end: str, status: int, error: str) -> None:
    out, errors, code = run(end)
    assert out == "work thread\ninside\n"  # the interpreter waits for threads; then handlers, the last one first
    assert errors.endswith(error)
    assert bool(errors) == bool(error)
    assert code == status


def test_ctrl_c_has_the_status_that_it_has_everywhere() -> None:
    _, errors, code = run("raise KeyboardInterrupt")
    assert errors.endswith("KeyboardInterrupt\n")
    assert code == -signal.SIGINT


def test_closed_streams_are_no_bar() -> None:
    command = [
        sys.executable,
        "-c",
        "from grmp.quick_exit import quick_exit\nwith quick_exit():\n    raise SystemExit(4)",
    ]
    assert subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], timeout=30).returncode == 4
