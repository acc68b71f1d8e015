import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.fs import LocalFileSystem, localfs
from dvc.utils.serialize import dump_yaml, load_yaml, modify_yaml
from ruamel.yaml.representer import RepresenterError

from grmp.paths import UNFINISHED_VARIABLE
from grmp.repro import forget_the_dead, write_text_whole


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(LocalFileSystem, "open", LocalFileSystem.open)  # put back afterwards
    write_text_whole()
    path = tmp_path / "dvc.lock"
    path.write_text("schema: '2.0'\nstages: {a: 1}\n", encoding="utf-8")
    return path


def test_a_lock_file_is_written_and_read_as_ever(lock: Path) -> None:
    with modify_yaml(str(lock), fs=localfs) as content:
        content["stages"]["b"] = 2
    assert load_yaml(str(lock), fs=localfs)["stages"] == {"a": 1, "b": 2}
    assert list(lock.parent.iterdir()) == [lock]


def test_kept_pieces_go_once_a_stage_is_noted(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(UNFINISHED_VARIABLE, str(lock.parent / "unfinished"))
    (lock.parent / "unfinished/x").mkdir(parents=True)
    dump_yaml(str(lock.parent / "data.dvc"), {}, fs=localfs)
    assert (lock.parent / "unfinished/x").is_dir()
    with pytest.raises(RepresenterError):
        write_half(lock)
    assert (lock.parent / "unfinished/x").is_dir()
    dump_yaml(str(lock), {"stages": {}}, fs=localfs)
    assert not (lock.parent / "unfinished").exists()


def write_half(lock: Path) -> None:
    with modify_yaml(str(lock), fs=localfs) as content:
        content["stages"] = {"a": 1, "b": object()}  # cannot be written, which shows in the middle of the file


def test_a_lock_file_is_never_half_a_one(lock: Path) -> None:
    whole = lock.read_text(encoding="utf-8")
    with pytest.raises(RepresenterError):
        write_half(lock)
    assert lock.read_text(encoding="utf-8") == whole


def test_dvc_alone_would_leave_half_a_lock_file(tmp_path: Path) -> None:
    """If this fails, DVC writes whole files itself, and `write_text_whole` can go."""
    lock = tmp_path / "dvc.lock"
    lock.write_text("stages: {a: 1}\n", encoding="utf-8")
    with pytest.raises(RepresenterError):
        write_half(lock)
    assert lock.read_text(encoding="utf-8") != "stages: {a: 1}\n"


@pytest.fixture
def running() -> Iterator[int]:
    """The number of a process that looks like a DVC at work."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"]) as process:
        yield process.pid
        process.kill()


def table_of(tmp_path: Path, *numbers: int) -> Path:
    infos = [{"pid": number, "cmd": "dvc repro"} for number in numbers]
    content = {"write": {f"out {info['pid']}": info for info in infos}, "read": {"data": infos, "b": infos[:1]}}
    (tmp_path / "rwlock").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "rwlock"


def test_only_running_dvcs_stay_in_the_table(tmp_path: Path, running: int) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    table = table_of(tmp_path, dead.pid, os.getpid(), running)  # this process is alive, but it is no DVC
    forget_the_dead(table)
    info = {"pid": running, "cmd": "dvc repro"}
    assert json.loads(table.read_text()) == {"write": {f"out {running}": info}, "read": {"data": [info]}}


@pytest.mark.parametrize(
    "text", ["", '{"write": {"a', "[1]", '{"write": {"a": {}}}', '{"read": {"a": [{"pid": null}]}}']
)
def test_a_table_that_is_not_whole_goes(tmp_path: Path, text: str) -> None:
    (tmp_path / "rwlock").write_text(text)
    forget_the_dead(tmp_path / "rwlock")
    assert not (tmp_path / "rwlock").exists()


def test_no_table_is_none(tmp_path: Path) -> None:
    forget_the_dead(tmp_path / "rwlock")
    assert not (tmp_path / "rwlock").exists()
