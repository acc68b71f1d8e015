import json
from pathlib import Path

import pytest

from grmp.errors import UserError
from study.running import drift


def test_numbers_are_found_at_any_depth() -> None:
    assert dict(drift.leaves({"full": {"50": {"srcc": 0.7}}, "n": 3})) == {"full.50.srcc": 0.7, "n": 3.0}


def test_a_number_that_only_one_side_has_counts_as_a_failure() -> None:
    assert drift.drift({"a": 1.0}, {"a": 1.5, "b": 2.0}) == {"a": 0.5, "b": float("inf")}


@pytest.mark.parametrize(("now", "fails"), [(0.71, False), (0.73, True)])
def test_more_than_the_tolerance_is_an_error_that_names_the_metric(
    now: float, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    for path in drift.METRICS:
        Path(path).write_text(json.dumps({"full": {"srcc": now}}), encoding="utf-8")
    monkeypatch.setattr(drift, "committed", lambda path: {"full": {"srcc": 0.70}})
    if fails:
        with pytest.raises(UserError, match=r"full\.srcc differs by 0\.03"):
            drift.main(0.02)
    else:
        drift.main(0.02)
