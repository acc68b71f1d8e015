import pytest

from study.data.track import track


def test_track_yields_everything_and_tells_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", "letters", unit="letters")) == ["a", "b", "c"]
    assert "letters  step 3/3" in capsys.readouterr().out


def test_track_of_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([], "none")) == []
    assert capsys.readouterr().out == ""
