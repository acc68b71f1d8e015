"""No process of a study outlives the one that started it, however that one ended: a restart finds nobody at work."""

import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing import parent_process

import psutil

PAUSE = 0.25  # seconds between two looks at the parent
PATIENCE = 1.5  # seconds for killed processes to end


def end_with_parent(parent: int | None = None) -> None:
    """From now on, this process and all that it starts end within a second of its parent's end.

    `parent` is its number where it might have ended already.
    """
    threading.Thread(target=_watch, args=(parent or os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    end_descendants()
    os.kill(os.getpid(), signal.SIGKILL)


def end_descendants() -> None:
    """Kill everything that this process has started, whatever process group it is in, and wait until it is gone."""
    processes = psutil.Process().children(recursive=True)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    limit = time.monotonic() + PATIENCE
    while any(map(_works, processes)) and time.monotonic() < limit:
        time.sleep(PAUSE / 10)


def _works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # which nobody has asked for its exit status yet
    except psutil.NoSuchProcess:
        return False


def end_with_pool() -> None:
    """The same for a worker of `multiprocessing`, which would wait for work for ever where its parent was killed."""
    threading.Thread(target=_wait_for_pool, daemon=True).start()


def _wait_for_pool() -> None:
    parent_process().join()
    os._exit(1)
