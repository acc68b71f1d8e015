"""One run of `make study` in a clone, at a terminal of its own, watched from outside."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

TOKEN = "GRMP_TRIAL"
"""Environment variable by which every process of a run is found, whatever group, session or parent it has by then."""
_STAGE = re.compile(r"Running stage '([^']+)'")


def _sit_down() -> None:
    """What a login does: take the terminal as the session's own, and hear it, even where the trial itself does not."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class StudyRun:
    """`make study`, with all that it prints and when each stage starts."""

    def __init__(self, clone: Path, name: str) -> None:
        self.name = f"{clone}:{name}"
        self.text = ""
        self.stages: list[tuple[str, float]] = []
        tools = Path(sys.executable).parent
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(clone),
            "DVC_NO_ANALYTICS": "1",
            TOKEN: self.name,
        }
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["make", "study", "-o", "env", f"BIN={tools}"],
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
                found = os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:  # its other side is closed
                return
            self.text += found
            names = _STAGE.findall(self.text)
            self.stages += [(name, time.monotonic()) for name in names[len(self.stages) :]]

    @property
    def started(self) -> list[str]:
        """Stages in the order in which they started."""
        return [name for name, _ in self.stages]

    def wait_for(self, stages: set[str]) -> str | None:
        """The first of `stages` to start, once it has; None where the run ended before."""
        while True:
            over = self.process.poll() is not None
            found = [name for name in self.started if name in stages]
            if found or over:
                return found[0] if found else None
            time.sleep(0.02)

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

    def kill(self, whom: str) -> None:
        """SIGKILL to the whole process `group`, or to `make` or `dvc` alone; or Ctrl-C at the terminal."""
        if whom == "Ctrl-C":
            os.write(self._terminal, b"\x03")
        elif whom == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif whom == "make":
            self.process.kill()
        else:
            for process in self.processes():
                if "study.running.repro" in process.cmdline():
                    process.kill()

    def gone(self, limit: float = 15.0) -> float:
        """Seconds until no process of this run is alive; infinite where there are some after `limit`."""
        started = time.monotonic()
        while time.monotonic() - started < limit:
            if self.process.poll() is not None and not self.processes():
                return time.monotonic() - started
            time.sleep(0.02)
        return float("inf")
