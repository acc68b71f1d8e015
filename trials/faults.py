"""What `make study` does on a machine with a fault, and whether the work tree is usable once the fault is gone.

Every fault is made for real: a disk of its own that is full or read-only, permissions, limits, a signal, dates, a port
at which nobody listens. It takes a clone with a tiny CLIP and four photographs, Linux, and the right to mount (`make
faults` gets it from `unshare`). A fault is survived if the exit status and the message are the expected ones, no
traceback is shown, and afterwards `make study` ends well, `dvc status` is clean and DVC's cache is whole.
"""

import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from trials.faulting.bare import World, make_bare
from trials.faulting.clone import Clone, Disk
from trials.faulting.kinds import ALWAYS, FAULTS, Fault


@dataclass(frozen=True)
class Verdict:
    """What came of a fault."""

    fault: Fault
    code: int
    message: str
    trouble: str


def judge(fault: Fault, world: World) -> Verdict:
    """Inject a fault, lift it, and look whether all is well."""
    try:
        seen = fault.inject(world)
    except (OSError, RuntimeError) as error:  # the trial itself could not go on
        world.disk.empty()
        return Verdict(fault, -1, "", f"not injected: {error}")
    trouble = [] if re.search(fault.message, seen.output) else [f"no such message: {fault.message}"]
    trouble += [f"exit status {seen.code}"] if (seen.code != 0) != fault.fails else []
    trouble += ["a traceback"] if "Traceback" in seen.output else []
    trouble += [found] if (found := fault.broken(world)) else []
    return Verdict(fault, seen.code, seen.message, "; ".join(trouble))


def show(verdicts: list[Verdict]) -> Table:
    """The table of all faults."""
    table = Table("fault", "injected how", "exit", "message", "recovered", title="faults")
    for verdict in verdicts:
        recovered = "yes" if not verdict.trouble else f"NO: {verdict.trouble}"
        table.add_row(verdict.fault.name, verdict.fault.how, str(verdict.code), verdict.message, recovered)
    return table


def _chosen(words: list[str]) -> list[Fault]:
    return FAULTS[:ALWAYS] + [fault for fault in FAULTS[ALWAYS:] if not words or any(w in fault.name for w in words)]


def main(
    words: Annotated[list[str] | None, typer.Argument(help="words of the faults' names; none: all of them")] = None,
) -> None:
    """Run all faults, or the first two and those whose names contain one of WORDS."""
    started, console = time.monotonic(), Console(width=180)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        disk = Disk(home / "Größe über alles", "300m")
        try:
            world = World(Clone(disk.folder / "clone", home), disk, make_bare(home / "bare"))
            verdicts = []
            for fault in _chosen(words or []):
                verdicts.append(judge(fault, world))
                told = verdicts[-1].trouble or "survived"
                print(f"{time.monotonic() - started:4.0f} s  {fault.name}: {told}", flush=True)
        finally:
            disk.unmount()
    console.print(show(verdicts))
    failed = sum(bool(verdict.trouble) for verdict in verdicts)
    print(f"{len(verdicts) - failed} faults survived, {failed} failed, in {time.monotonic() - started:.0f} s")
    sys.exit(bool(failed))


if __name__ == "__main__":
    typer.run(main)
