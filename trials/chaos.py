"""Kills `make study` at random moments of every stage and starts it again, until it is done: `make chaos`.

The study is a clone of this checkout with a tiny CLIP, run once undisturbed, then with the kills. What is asked of each
restart: it goes on by itself, runs no stage that DVC had noted as done, makes no kept piece again; and at the end
every file is the undisturbed run's, byte for byte but for the durations that reports tell.
"""

import random
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from study_run import StudyRun  # noqa: E402
from tiny_clone import edit, make_clone  # noqa: E402

from grmp.io.paths import UNFINISHED  # noqa: E402
from grmp.training import PIECE  # noqa: E402

LONGER = {"pretrain": {"outer_steps": 60}, "finetune": {"steps": 60}, "grid": {"repeats": 4}}
"""What gives the tiny study's stages enough work to be killed in the middle of."""
WHOM = ["group"] * 4 + ["make", "dvc"]
SOON = 3.0  # seconds
ROUNDS = 4
"""Studies at most, one after the other: a machine that gets quicker ends one before its last kills are due."""
_DURATION = re.compile(rb"\d+:\d\d:\d\d \(h:mm:ss\)")


@dataclass
class State:
    """What a kill left: the stages that DVC has noted, and the kept pieces with their inodes."""

    stages: set[str]
    pieces: dict[Path, int]
    halves: list[Path]


@dataclass
class Trial:
    """The disturbed study, and what went wrong with it."""

    clone: Path
    before: State = field(default_factory=lambda: State(set(), {}, []))
    failures: list[str] = field(default_factory=list)

    def look(self) -> State:
        """Read what is there, which must be whole."""
        lock, pieces = self.clone / "dvc.lock", {}
        stages = YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
        for path in (self.clone / UNFINISHED).rglob("*.safetensors"):
            if not path.name.startswith("."):
                with safe_open(path, "np"):  # raises where it is not whole
                    pieces[path] = path.stat().st_ino
        halves = [path.relative_to(self.clone) for path in self.clone.rglob(".*.part")]
        return State(set(stages), {path: inode for path, inode in pieces.items() if path.stem != PIECE}, halves)

    def check(self, run: StudyRun) -> str:
        """What the run did with what its predecessor left; notes what it must not have done."""
        again = [name for name in run.started if name in self.before.stages]
        now = self.look()
        remade = [path for path, inode in self.before.pieces.items() if now.pieces.get(path, inode) != inode]
        self.failures += [f"{run.name}: {name} had been done and ran again" for name in again]
        self.failures += [f"{run.name}: {path.name} had been kept and was made again" for path in remade]
        done = f"skipped {len(self.before.stages)} stages, kept {len(self.before.pieces)} pieces"
        self.before = now
        return done


def differences(one: Path, other: Path) -> list[str]:
    """Files below reports/ and artifacts/ that are not the same in both, durations aside."""
    names = {
        path.relative_to(root)
        for root in (one, other)
        for folder in ("reports", "artifacts")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }
    return sorted(str(name) for name in names if _content(one / name) != _content(other / name))


def _content(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    return _DURATION.sub(b"", content) if path.suffix in (".ipynb", ".html") else content


def plan(durations: dict[str, float], kills: int, draw: random.Random) -> list[tuple[str, float, str]]:
    """Stage, seconds after its start, and whom: kills spread over the stages in their order, and a Ctrl-C in each."""
    stages = list(durations)
    chosen = [(index * len(stages) // kills, draw.choice(WHOM)) for index in range(kills)]
    chosen += [(index, "Ctrl-C") for index in range(len(stages))]
    return [
        (stages[index], draw.uniform(0, 0.95) * durations[stages[index]], whom)
        for index, whom in sorted(chosen, key=lambda entry: (entry[0], draw.random()))
    ]


def undisturbed(clone: Path) -> dict[str, float]:
    """Run the study once; seconds of each stage, in their order."""
    run = StudyRun(clone, "undisturbed")
    if run.wait():
        sys.exit(f"the undisturbed study failed:\n{run.text[-3000:]}")
    starts = [*(when for _, when in run.stages), time.monotonic()]
    return {name: end - start for (name, start), end in zip(run.stages, starts[1:])}


def interrupted_well(run: StudyRun) -> bool:
    """Whether Ctrl-C was answered with one line that says how to go on."""
    run.wait()
    told = run.text.count("interrupted; `make study` goes on where it stopped")
    return told == 1 and "Traceback" not in run.text


def disturb(trial: Trial, durations: dict[str, float], kills: int, seed: int) -> int:
    """Kill as planned, restart at once, until done; returns how many kills found their stage."""
    order, delivered = list(durations), 0
    print(f"{'':>3}  {'stage':24} {'at s':>5}   of  {'whom':7} {'gone s':>6}  the run before it was killed")
    run = StudyRun(trial.clone, "0")
    for number, (target, moment, whom) in enumerate(plan(durations, kills, random.Random(seed)), 1):
        stage = run.wait_for(set(order[order.index(target) :]))
        if stage is None:
            break
        time.sleep(moment * durations[stage] / durations[target])
        if run.process.poll() is not None:
            break
        run.kill(whom)
        stage, at = run.started[-1], time.monotonic() - run.stages[-1][1]
        done = trial.check(run)
        following = StudyRun(trial.clone, str(number)) if whom != "Ctrl-C" else None
        seconds = run.gone()
        if seconds >= SOON or (whom == "Ctrl-C" and not interrupted_well(run)):
            last = f"gone after {seconds:.1f} s, last words:\n{run.text[-600:]}"
            trial.failures.append(f"{run.name}: {whom} in {stage}: {last}")
        delivered += whom != "Ctrl-C"
        row = f"{number:3}  {stage:24} {at:5.1f} {durations[stage]:4.1f}  {whom:7} {seconds:6.2f}  {done}"
        print(row, flush=True)
        run = following or StudyRun(trial.clone, str(number))
    if run.wait():
        trial.failures.append(f"{run.name}: the study did not end well:\n{run.text[-3000:]}")
    print(f"     to the end: {trial.check(run)}")
    return delivered


def main(
    kills: Annotated[int, typer.Option(help="SIGKILLs, besides a Ctrl-C in each stage")] = 30,
    seed: Annotated[int, typer.Option(help="of the random moments")] = 1,
) -> None:
    """Kill the tiny study in each stage at random moments; exit status 1 where a restart lost or broke something."""
    with tempfile.TemporaryDirectory(prefix="grmp-chaos-") as folder:
        reference, fresh = Path(folder) / "undisturbed", Path(folder) / "fresh"
        reference.mkdir()
        make_clone(reference)
        edit(reference, LONGER)
        shutil.copytree(reference, fresh)
        durations = undisturbed(reference)
        print(f"undisturbed: {len(durations)} stages in {sum(durations.values()):.0f} s", flush=True)
        delivered, failures, left = 0, [], []
        for number in range(ROUNDS):
            trial = Trial(Path(folder) / f"disturbed-{number}")
            shutil.copytree(fresh, trial.clone)
            delivered += disturb(trial, durations, kills - delivered, seed + number)
            failures += trial.failures
            failures += [f"{name}: is not the undisturbed run's" for name in differences(reference, trial.clone)]
            left += trial.before.halves
            if delivered >= kills:
                break
    for line in (*failures, *(f"{path}: half a file is left" for path in left)):
        print(line)
    print(f"{delivered} kills survived, {len(failures)} failures, {len(left)} half-written files left")
    raise typer.Exit(1 if failures or left or delivered < kills else 0)


if __name__ == "__main__":
    typer.run(main)
