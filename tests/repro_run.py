"""One run of `dvc repro` in a clone, at a terminal of its own, watched from outside."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

TOKEN = "GRMP_TRIAL"
"""Environment variable by which every process of a run is found, whatever group, session or parent it has by then."""
RECOVERY = "rm -f .dvc/tmp/rwlock; git checkout -q dvc.lock 2>/dev/null || true"
"""What DVC may leave where it is killed; docs/reliability.md has this line."""


def _sit_down() -> None:
    """What a login does: take the terminal as the session's own, and hear it, even where the test itself does not."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class ReproRun:
    """`dvc repro`, and all that it prints."""

    def __init__(self, clone: Path, name: str) -> None:
        self.name, self.text = f"{clone}:{name}", ""
        tools = Path(sys.executable).parent
        environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(clone),
            "DVC_NO_ANALYTICS": "1",
            TOKEN: self.name,
        }
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["dvc", "repro"],
            cwd=clone,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_sit_down,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.text += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:  # its other side is closed
                return

    def wait(self) -> int:
        """Exit status, when everything that it printed has been read."""
        status = self.process.wait()
        self._reader.join(timeout=5)
        return status

    def processes(self) -> list[psutil.Process]:
        """Every process of this run that is alive."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN) == self.name
        except psutil.Error:
            return False

    def kernels(self) -> list[psutil.Process]:
        """The notebooks' kernels among them."""
        return [process for process in self.processes() if "ipykernel_launcher" in process.cmdline()]

    def kill(self, whom: str) -> None:
        """SIGKILL to the whole process `group`, to `dvc` alone or to the `kernel`; or Ctrl-C at the terminal."""
        if whom == "Ctrl-C":
            os.write(self._terminal, b"\x03")
        elif whom == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif whom == "dvc":
            self.process.kill()
        else:
            for kernel in self.kernels():
                kernel.kill()

    def gone(self, limit: float) -> bool:
        """Whether no process of this run is alive after `limit` seconds, looked at until then."""
        end = time.monotonic() + limit
        while self.process.poll() is None or self.processes():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True
