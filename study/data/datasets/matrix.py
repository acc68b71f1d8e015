"""Matrices out of MATLAB files, read in a process of its own.

SciPy's reader is compiled code that a broken file can bring down, and the process with it. As a script, this file
imports nothing of the library, so that the process is there in no time.
"""

import json
import subprocess
import sys
from pathlib import Path

PATIENCE = 60  # seconds


def read_matrix(path: Path, key: str) -> list[str] | list[float]:
    """The values of the matrix `key`, row after row: of cells their text, of numbers the numbers.

    Raises:
        ValueError: it cannot be read, for whatever reason.
    """
    command = [sys.executable, "-I", __file__, str(path), key]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"not read within {PATIENCE} s") from None
    if done.returncode:
        # Of a traceback the last line; a process that was brought down leaves none.
        lines = done.stderr.strip().splitlines()
        raise ValueError(lines[-1] if lines and done.returncode > 0 else "its reader was brought down")
    return json.loads(done.stdout)


def _main(path: str, key: str) -> None:
    import numpy as np
    from scipy.io import loadmat

    values = loadmat(path)[key].ravel()
    if values.dtype.kind == "O":
        values = [str(np.ravel(cell)[0]) if np.size(cell) else "" for cell in values]
    print(json.dumps(values if isinstance(values, list) else values.astype(float).tolist()))


if __name__ == "__main__":
    _main(*sys.argv[1:])
