"""Hostile files, a few of each kind always and thousands in the long run; and what their watch must not let pass."""

import secrets
import time
from pathlib import Path

import pytest
from fuzzing import feed
from fuzzing import watch as watching
from fuzzing.watch import watch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from grmp.errors import UserError

FEW = {"scoring checkpoint": 15, "CLIP": 15, "params.yaml, values": 40, "LIVEC's matrices": 15}


@pytest.mark.parametrize("name", list(feed.SURFACES))
def test_hostile_files_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    tally = feed.feed(name, FEW.get(name, 100), 1, tmp_path)
    stories = "\n".join(path.read_text() for path in tmp_path.glob("*.txt"))
    assert not tally.failures, stories
    assert tally.refused
    assert tally.inputs >= FEW.get(name, 100) * 0.8  # hypothesis may find fewer that differ


@pytest.mark.long
@pytest.mark.parametrize("name", list(feed.SURFACES))
def test_thousands_of_hostile_files_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)
    tally = feed.feed_apart(name, feed.SURFACES[name][1], seed, tmp_path)
    stories = "\n".join(path.read_text() for path in tmp_path.glob("*.txt"))
    assert not tally.failures, f"seed {seed}: {stories}"


class Broken:
    """A surface that does wrong whatever its input's first byte says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def inputs(self) -> SearchStrategy[bytes]:
        return st.binary(min_size=1, max_size=1)

    def feed(self, content: bytes) -> None:
        match content[0] % 5:
            case 0:
                raise UserError("plain")
            case 1:
                raise KeyError(content)
            case 2:
                error = UserError("")
                error.args = ("two\nlines",)
                raise error
            case 3:
                time.sleep(60)


def test_exceptions_hangs_and_messages_of_several_lines_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SECONDS", 0.2)
    tally = watch(Broken(tmp_path), 30, 1, tmp_path)
    assert tally.accepted
    assert tally.refused
    assert set(tally.failures) == {
        "KeyError in test_fuzz.py: feed",
        "Hang in test_fuzz.py: feed",
        "a message of more than one plain line",
    }
    assert {path.read_bytes()[0] % 5 for path in tmp_path.glob("failure-?")} == {1, 2, 3}


def test_the_same_seed_draws_the_same_inputs(tmp_path: Path) -> None:
    drawn: list[list[bytes]] = []

    class Kept(Broken):
        def feed(self, content: bytes) -> None:
            drawn[-1].append(content)

    for seed in (1, 1, 2):
        drawn.append([])
        watch(Kept(tmp_path), 30, seed, tmp_path)
    assert drawn[0] == drawn[1] != drawn[2]
