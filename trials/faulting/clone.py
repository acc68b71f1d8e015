"""A tiny clone of the study on a small disk of its own, in which faults can be injected and recovery be checked."""

import hashlib
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from tiny_clone import make_clone  # noqa: E402

LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "PYTHONIOENCODING", "PYTHONUTF8")
DROP_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")  # root is then held to permissions, too


@dataclass(frozen=True)
class Seen:
    """How a command ended: exit status and everything it printed."""

    code: int
    output: str

    @property
    def message(self) -> str:
        """The line that tells the user what is wrong; the last one where nothing is."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip() and not line.startswith("make:")]
        told = [line for line in lines if line.startswith(("error:", "environment:"))]
        return (told or lines or [""])[-1]


class Running:
    """A command under way, its output in a file outside the disk."""

    def __init__(self, command: tuple[str, ...], folder: Path, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)

    def wait_for(self, text: str, seconds: float = 300) -> None:
        """Wait until `text` was printed."""
        self._wait(lambda: text in self.log.read_text(errors="replace"), text, seconds)

    def wait_for_process(self, word: str, seconds: float = 120) -> psutil.Process:
        """Wait until a process below this one has `word` in its command line, and return it."""
        found: list[psutil.Process] = []

        def look() -> bool:
            children = psutil.Process(self.process.pid).children(recursive=True)
            found[:] = [child for child in children if child.is_running() and word in _words(child)]
            return bool(found)

        self._wait(look, word, seconds)
        return found[-1]

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"never seen: {what}\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def end(self) -> Seen:
        """Wait until it has ended."""
        return Seen(self.process.wait(), self.log.read_text(errors="replace"))


def _words(process: psutil.Process) -> list[str]:
    try:
        words = " ".join(process.cmdline()).split()  # a fork has its title in one piece
    except psutil.Error:
        return []
    return [] if "study.running.forked" in words else words  # who waits for a fork is not the one who works


class Disk:
    """A file system of a few megabytes in memory, mounted at `folder`."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)

    def fill(self, leave: int = 0) -> None:
        """Leave no room, or that many bytes."""
        with (self.folder / "ballast").open("ab", buffering=0) as file, suppress(OSError):
            while file.write(bytes(1 << 20)):  # what does not fit as a whole is written in part
                pass
        os.truncate(self.folder / "ballast", (self.folder / "ballast").stat().st_size - leave)

    def empty(self) -> None:
        """Take away what `fill` has put there."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)

    def unmount(self) -> None:
        """Take the file system away with all that is on it."""
        subprocess.run(["umount", self.folder], check=True)


class Clone:
    """The tiny clone with an environment that borrows this one's packages and that nothing is ever installed into."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self.logs, self.count = folder, logs, 0
        make_clone(folder)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
        packages = folder / f".venv/lib/python{sysconfig.get_python_version()}/site-packages"
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        wanted = [(folder / name).read_bytes() for name in ("requirements.txt", "pyproject.toml")]
        (folder / ".venv/.ready").write_bytes(b"".join(wanted))

    def environment(self, **more: str) -> dict[str, str]:
        """That of a user, with the clone's library, and `more`; without any word on the locale."""
        kept = {name: value for name, value in os.environ.items() if name not in LOCALE and not name.startswith("MAKE")}
        templates = str(Path(sys.prefix) / "share/jupyter")
        fixed = {"PYTHONPATH": str(self.folder), "JUPYTER_PATH": templates, "OMP_NUM_THREADS": "1"}
        path = f"{self.folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        return {**kept, **fixed, "PATH": path, "DVC_NO_ANALYTICS": "1", **more}

    def start(self, *command: str, folder: Path | None = None, **environment: str) -> Running:
        """Start a command, by default in the clone; `python` is the clone's."""
        self.count += 1
        python = str(self.folder / ".venv/bin/python")
        words = tuple(python if word == "python" else word for word in command)
        log = self.logs / f"{self.count:02}.log"
        return Running(words, folder or self.folder, self.environment(**environment), log)

    def run(self, *command: str, folder: Path | None = None, **environment: str) -> Seen:
        """Run a command to its end."""
        return self.start(*command, folder=folder, **environment).end()

    def study(self, **environment: str) -> Seen:
        """`make study`."""
        return self.run("make", "study", **environment)

    def change(self, name: str) -> None:
        """Change a file of the library in a way without effect, so that the stages that depend on it run again."""
        path = self.folder / name
        path.write_text(path.read_text(encoding="utf-8") + f"# change {self.count}\n", encoding="utf-8")

    def broken(self, again: bool = True) -> str:
        """What is wrong with the work tree after `make study` (which may run stages `again`); empty if all is well."""
        done = self.study()
        if done.code:
            return f"make study: {done.message}"
        if not again and "Running stage" in done.output:
            return "make study: not up to date"
        status = self.run("python", "-m", "dvc", "status").output.strip()
        if status != "Data and pipelines are up to date.":
            return f"dvc status: {status[:200]}"
        strays = [path for path in self._made() if path.name.endswith((".part", ".tmp")) or ".tmp" in path.name[:5]]
        return f"left behind: {strays[0]}" if strays else self._rotten()

    def _made(self) -> list[Path]:
        return [path for name in ("artifacts", "reports") for path in (self.folder / name).rglob("*")]

    def _rotten(self) -> str:
        # DVC names a file of its cache by its content.
        for path in (self.folder / ".dvc/cache/files/md5").glob("??/*"):
            if path.suffix != ".dir" and hashlib.md5(path.read_bytes()).hexdigest() != path.parent.name + path.name:
                return f"in DVC's cache: {path.name} is not whole"
        return ""
