"""A papermill engine that tells the terminal, while a notebook runs, what its cells print and where it is."""

import os
import re
import resource
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import LocalProvisioner
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from grmp.forked import Forked, Request, fork
from grmp.kernel import ENVIRONMENT
from grmp.progress import MARK

ENGINE = "grmp"
QUIET_SECONDS = 5.0
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of getrusage
_KERNEL = "grmp.kernel"


class Reporter:
    """Passes the cells' stdout and stderr on, and says where the notebook is when it has been quiet for a while.

    Args:
        name: what the lines call the notebook.
        quiet: seconds without output after which a line is printed.
    """

    def __init__(self, name: str, quiet: float = QUIET_SECONDS) -> None:
        self.name = name
        self.quiet = quiet
        self.notebook: NotebookNode | None = None
        self.cell = 0
        self.heading = ""
        self.peak_memory = 0
        """Bytes that the kernel had at most, once it has ended."""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._line_start = True
        self._cell_started = self._last_words = time.monotonic()

    def __enter__(self) -> "Reporter":
        """Start to watch for silence."""
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop watching."""
        self._over.set()

    @property
    def place(self) -> str:
        """The running cell as people name it: its number as in `In [4]`, and the heading above it."""
        return f'cell {self.cell} "{self.heading}"' if self.heading else f"cell {self.cell}"

    def enter_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """Note that the code cell at `cell_index` starts."""
        self.cell = len(_code_cells(self.notebook.cells[: cell_index + 1]))
        self.heading = _last_heading(self.notebook.cells[:cell_index])
        self._cell_started = time.monotonic()

    def write(self, stream: str, text: str) -> None:
        """Print `text`, which a cell printed to `stream` (stdout or stderr)."""
        with self._lock:
            file = sys.stderr if stream == "stderr" else sys.stdout
            file.write(text)
            file.flush()
            self._line_start = text.endswith("\n")
            self._last_words = time.monotonic()

    def _beat(self) -> None:
        while not self._over.wait(min(0.5, self.quiet / 4)):
            if self.cell and time.monotonic() - self._last_words >= self.quiet:
                self.write("stdout", ("" if self._line_start else "\n") + self._where())

    def _where(self) -> str:
        of = len(_code_cells(self.notebook.cells))
        place = self.place.replace(f"cell {self.cell}", f"cell {self.cell} of {of}", 1)
        return f"{MARK}{self.name}: {place}, {time.monotonic() - self._cell_started:.0f} s\n"


def _code_cells(cells: list[NotebookNode]) -> list[NotebookNode]:
    # Blank cells are not executed and get no number.
    return [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]


def _last_heading(cells: list[NotebookNode]) -> str:
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return headings[-1] if headings else ""


class _OwnKernel(KernelSpecManager):
    """The kernel of this very interpreter, whatever kernels the user has installed under the same name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", _KERNEL, "-f", "{connection_file}"]
        return KernelSpec(**{**get_kernel_dict(), "argv": argv})


class _Provisioner(LocalProvisioner):
    """Has the kernel forked where that can be, and else started."""

    forked: Forked | None = None

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        request = Request(_KERNEL, cmd[cmd.index(_KERNEL) + 1 :], options["cwd"], options["env"])
        self.process = self.forked = fork(request)
        if self.process is None:
            return await super().launch_kernel(cmd, **options)
        self.pid = self.pgid = self.process.pid  # a session of its own
        return self.connection_info

    def peak_memory(self) -> int:
        """Bytes that the kernel had at most, once it has ended."""
        highest = self.forked.peak if self.forked else resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return highest * MAXRSS_BYTES


class _Client(PapermillNotebookClient):
    """Papermill's client with words for the terminal, and an end without delay on Ctrl-C."""

    def __init__(self, manager: NotebookExecutionManager, reporter: Reporter, **options: Any) -> None:
        super().__init__(manager, on_cell_start=reporter.enter_cell, **options)
        self.reporter = reporter

    def create_kernel_manager(self) -> KernelManager:
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = _OwnKernel()
        # Other users of the machine can listen to the kernel's ports.
        manager.transport_encryption = "auto"
        manager.kernel_id = str(uuid.uuid4())
        options = {"kernel_id": manager.kernel_id, "kernel_spec": manager.kernel_spec, "parent": manager}
        self.provisioner = manager.provisioner = _Provisioner(**options)
        return manager

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if msg["msg_type"] == "stream":
            self.reporter.write(msg["content"]["name"], msg["content"]["text"])
        return super().process_message(msg, cell, cell_index)

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        except BaseException:
            # A kernel deep in a computation does not answer a polite request.
            self.shutdown_kernel = "immediate"
            raise


class TerminalEngine(Engine):
    """The engine's entry point for papermill."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, reporter: Reporter, **_: Any
    ) -> None:
        """Run the notebook in a kernel of this interpreter, in the current directory."""
        reporter.notebook = nb_man.nb
        # An idle kernel calls the signal that ends it an error.
        quiet = ["--log-level=CRITICAL"]
        client = _Client(nb_man, reporter, kernel_name=kernel_name, startup_timeout=120, extra_arguments=quiet)
        with reporter:
            client.execute(env={**os.environ, **ENVIRONMENT}, cwd=str(Path.cwd()))
        reporter.peak_memory = client.provisioner.peak_memory()


papermill_engines.register(ENGINE, TerminalEngine)
