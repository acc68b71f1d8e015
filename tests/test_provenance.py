import platform
import subprocess
import time
from pathlib import Path

import pytest

from study.reports.provenance import commit, compact, device_name, provenance


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    for name in ("code.py", "dvc.lock", "reports/a.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    return tmp_path


def test_the_commit_is_the_short_hash(checkout: Path) -> None:
    assert commit() == git("rev-parse", "--short", "HEAD")


def test_changed_code_is_told_and_what_the_pipeline_writes_is_not(checkout: Path) -> None:
    for name in ("dvc.lock", "reports/a.html", "untracked.txt"):
        (checkout / name).write_text("2")
    assert " " not in commit()
    (checkout / "code.py").write_text("2")
    assert commit().endswith(" with changes")


def test_from_a_folder_inside_changes_elsewhere_are_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "studies").mkdir()
    monkeypatch.chdir(checkout / "studies")
    (checkout / "reports/a.html").write_text("2")
    assert " " not in commit()
    (checkout / "code.py").write_text("2")
    assert commit().endswith(" with changes")


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == "unknown (not a git checkout)"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == "unknown (not a git checkout)"


def test_parameters_are_one_line_of_yaml_in_their_own_order() -> None:
    values = {"labels": [10, 0.2], "device": "auto", "weights": None, "rate": 0.0005}
    assert compact(values) == "labels: [10, 0.2], device: auto, weights: null, rate: 0.0005"


def test_the_table_tells_what_was_used_and_not_where(monkeypatch: pytest.MonkeyPatch) -> None:
    table = provenance({"qgr": {"strength": 1.0}}, "embedded ViT-B/16", "cpu", "bf16", time.time() - 3725)
    assert list(table.data.columns) == ["what", "value"]
    rows = dict(table.data.itertuples(index=False, name=None))
    assert rows["params: qgr"] == "strength: 1.0"
    assert (rows["backbone"], rows["precision"]) == ("embedded ViT-B/16", "bf16")
    assert rows["duration"].startswith("1:02:0")
    assert f"python {platform.python_version()}, torch 2." in rows["versions"]
    assert rows["device"] == device_name("cpu")
    page = table.to_html()
    assert platform.node() not in page
    assert str(Path.cwd()) not in page
    assert page == table.to_html()


def test_a_missing_package_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.reports.provenance.PACKAGES", ("no-such-package",))
    frame = provenance({}, "b", "cpu", "fp32", time.time()).data
    assert "no-such-package not installed" in frame.set_index("what").loc["versions", "value"]


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    frame = provenance({}, "b", "cpu", "fp32", time.time() + 3600).data
    assert frame.set_index("what").loc["duration", "value"].startswith("0:00:00")
