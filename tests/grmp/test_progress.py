import re

import pytest

from grmp import progress
from grmp.progress import MARK, Progress, clock


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_line_tells_step_values_rate_and_time_left(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told = Progress("fine-tune full@50 repeat 2/5", total=40)
    time.now += 10
    told.update(10, items=182, loss=0.5311)
    assert capsys.readouterr().out == (
        f"{MARK}fine-tune full@50 repeat 2/5  step 10/40  loss 0.531  18.2 images/s  0:30 left\n"
    )


def test_only_the_first_the_last_and_one_line_per_interval_are_printed(
    time: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Progress("x", total=20, every=4.0)
    for step in range(1, 21):
        time.now += 1
        told.update(step)
    steps = re.findall(r"step (\d+)/20", capsys.readouterr().out)
    assert steps == ["1", "5", "9", "13", "17", "20"]


def test_items_are_summed_and_the_last_line_tells_the_time_taken(
    time: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Progress("x", total=2, unit="crops")
    for step in (1, 2):
        time.now += 45
        told.update(step, items=90)
    assert capsys.readouterr().out.splitlines()[-1] == f"{MARK}x  step 2/2  2.00 crops/s  took 1:30"


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.500"), (12.34, "12.3"), (100, "100"), (1e-4, "0.000100")])
def test_values_show_three_digits(value: float, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Progress("x", total=2).update(1, loss=value)
    assert f"  loss {text}  " in capsys.readouterr().out


def test_a_total_is_needed() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Progress("x", total=0)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (34.4, "0:34"), (59.6, "1:00"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
