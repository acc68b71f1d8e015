import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_notebook

CODE = """
import os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", os.getpid(), worker.pid, sys.path[0] == os.getcwd(), flush=True)
while True:
    sum(range(10**6))
"""


def works(number: int) -> bool:
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def test_a_killed_runner_leaves_neither_kernel_nor_worker(tmp_path: Path) -> None:
    cells = [new_code_cell("a: int = 1", metadata={"tags": ["parameters"]}), new_code_cell(CODE)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    command = [sys.executable, "-m", "grmp.notebook", "a.ipynb", "b.ipynb", "--params", str(ROOT / "params.yaml")]
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as process:
        words = next(line for line in process.stdout if line.startswith("started")).split()
        process.kill()
    limit = time.monotonic() + 3
    numbers = [int(word) for word in words[1:3]]
    while any(map(works, numbers)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(map(works, numbers))
    assert words[3] == "False"  # a file in the study's folder does not stand in for a module
