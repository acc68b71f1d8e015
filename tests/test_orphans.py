import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

CHILD = """
import sys, time
from grmp.orphans import end_with_parent
end_with_parent()
import subprocess
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True).pid, flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
child.wait()
"""
POOL = """
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from grmp.orphans import end_with_pool
import time
if __name__ == "__main__":
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=end_with_pool) as pool:
        print(*{job.result() for job in [pool.submit(os.getppid) for _ in range(4)]}, *pool._processes, flush=True)
        time.sleep(60)
"""


def alive(numbers: list[int]) -> list[int]:
    """Those of the processes that are there and no zombies."""
    found = [number for number in numbers if psutil.pid_exists(number)]
    return [number for number in found if psutil.Process(number).status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("program", [PARENT, POOL], ids=["started", "pool"])
def test_whatever_a_killed_process_has_started_ends(tmp_path: Path, program: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    options = {"env": {"PYTHONPATH": str(ROOT)}, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(script)], **options) as process:
        numbers = [int(word) for word in process.stdout.readline().split()]
        started = [number for number in numbers if number != process.pid]
        assert len(alive(started)) == 2
        process.kill()
    limit = time.monotonic() + 3
    while alive(started) and time.monotonic() < limit:
        time.sleep(0.02)
    assert not alive(started)
