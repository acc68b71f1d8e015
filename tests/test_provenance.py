import platform
from pathlib import Path

import pytest

from study.reports.provenance import compact, device_name, provenance


def test_parameters_are_one_line_of_yaml_in_their_own_order() -> None:
    values = {"labels": [10, 0.2], "device": "auto", "weights": None, "rate": 0.0005}
    assert compact(values) == "labels: [10, 0.2], device: auto, weights: null, rate: 0.0005"


def test_the_table_tells_what_was_used_and_not_where(monkeypatch: pytest.MonkeyPatch) -> None:
    table = provenance({"qgr": {"strength": 1.0}}, "embedded ViT-B/16", "cpu", "bf16")
    assert list(table.data.columns) == ["what", "value"]
    rows = dict(table.data.itertuples(index=False, name=None))
    assert rows["params: qgr"] == "strength: 1.0"
    assert (rows["backbone"], rows["precision"]) == ("embedded ViT-B/16", "bf16")
    assert {"commit", "duration"}.isdisjoint(rows)
    assert f"python {platform.python_version()}, torch 2." in rows["versions"]
    assert rows["device"] == device_name("cpu")
    page = table.to_html()
    assert platform.node() not in page
    assert str(Path.cwd()) not in page
    assert page == table.to_html()


def test_a_missing_package_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.reports.provenance.PACKAGES", ("no-such-package",))
    frame = provenance({}, "b", "cpu", "fp32").data
    assert "no-such-package not installed" in frame.set_index("what").loc["versions", "value"]
