"""What a folder, a link and a pattern stand for, and what is said of the files that are left out."""

import os
from pathlib import Path

import pytest
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import read_image
from grmp.scoring.inputs import find_images


def photo(path: Path, form: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), "grey").save(path, format=form)
    return path


def found(*given: object) -> list[str]:
    return [path.name for path in find_images(map(str, given))]


def test_an_image_of_any_ending_is_found_by_its_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, form in (("a.jfif", "JPEG"), ("b.jpe", "JPEG"), ("c.jpg_large", "JPEG"), ("d.mpo", "MPO"), ("e", "PNG")):
        photo(tmp_path / name, form)
    assert found(tmp_path) == ["a.jfif", "b.jpe", "c.jpg_large", "d.mpo", "e"]
    assert not caplog.records


def test_the_rest_is_named_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo(tmp_path / "a.jpg")
    for name in ("b.heic", "c.jxl", "notes.txt", "sub/d\n.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    os.mkfifo(tmp_path / "e.jpg")
    (tmp_path / ".hidden.txt").write_text("")
    assert found(tmp_path) == ["a.jpg"]
    (record,) = caplog.records
    message = "5 files left out: no image that can be read: b.heic, c.jxl, e.jpg, notes.txt, sub/d .csv"
    assert record.getMessage() == message


def test_of_many_files_the_first_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo(tmp_path / "a.jpg")
    for number in range(25):
        (tmp_path / f"{number:02}.txt").write_text("")
    find_images([tmp_path])
    assert "25 files left out" in caplog.text
    assert "09.txt and 15 more" in caplog.text


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    photo(tmp_path / "elsewhere" / "a.jpg")
    photo(tmp_path / "photos" / "b.jpg")
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "photos")
    assert sorted(found(tmp_path / "photos")) == ["a.jpg", "b.jpg"]


def test_a_dangling_link_is_an_error_of_its_own(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path) == ["a.jpg", "gone", "gone.jpg"]
    for name in ("gone", "gone.jpg"):
        with pytest.raises(UserError, match=f"{name}: cannot be read as an image \\(No such file"):
            read_image(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_locked_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "locked").mkdir(mode=0)
    assert found(tmp_path) == ["a.jpg", "locked"]


def test_brackets_in_a_folder_that_exists_are_its_name(tmp_path: Path) -> None:
    photo(tmp_path / "Trip [2023]" / "right.jpg")
    photo(tmp_path / "Trip 2" / "wrong.jpg")
    assert found(f"{tmp_path}/Trip [2023]/*.jpg") == ["right.jpg"]
    assert found(f"{tmp_path}/Trip [2]/*.jpg") == ["wrong.jpg"]
    assert found(f"{tmp_path}/Trip */*.jpg") == ["wrong.jpg", "right.jpg"]
    assert found(f"{tmp_path}/**/right.jpg") == ["right.jpg"]


def test_patterns_are_also_relative_and_keep_their_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "deep [1]" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert find_images(["deep [1]/*.jpg", "./deep*/*"]) == [Path("deep [1]/a.jpg")]
    with pytest.raises(UserError, match=r"\*.tif: matches no file"):
        find_images(["deep [1]/*.tif"])
