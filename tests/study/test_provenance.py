import platform
from pathlib import Path

import pytest

from study.reports.provenance import provenance


def test_the_table_tells_what_was_used_and_not_where() -> None:
    table = provenance("04_ablation", {"qgr": {"strength": 1.0}}, "embedded ViT-B/16", "a processor, 2 threads", "bf16")
    assert list(table.data.columns) == ["what", "value"]
    rows = dict(table.data.itertuples(index=False, name=None))
    assert rows["params: qgr"] == "strength: 1.0"
    assert (rows["backbone"], rows["precision"]) == ("embedded ViT-B/16", "bf16")
    assert not {"commit", "duration"} & set(rows)  # the same study made again has the same bytes
    assert f"python {platform.python_version()}, torch 2." in rows["versions"]
    assert rows["device"] == "a processor, 2 threads"
    page = table.to_html()
    assert platform.node() not in page
    assert str(Path.cwd()) not in page
    assert page == table.to_html()


def test_a_missing_package_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.reports.provenance.PACKAGES", ("no-such-package",))
    frame = provenance("04_ablation", {}, "b", "cpu", "fp32").data
    assert "no-such-package not installed" in frame.set_index("what").loc["versions", "value"]
