from pathlib import Path

import pytest

from grmp.errors import UserError
from grmp.io.inside import refuse_outside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image, a link to it, and links out of the folder."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    for path in (folder / "images/a.png", tmp_path / "secret.png"):
        path.touch()
    (folder / "same.png").symlink_to(folder / "images/a.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    return folder


@pytest.mark.parametrize("name", ["images/a.png", "same.png", "not there.png", "a..b", "..."])
def test_names_below_the_folder_pass(folder: Path, name: str) -> None:
    assert refuse_outside("table.csv", folder, [name]) is None


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.png", "images/../../secret.png", "images/../images/a.png", "link.png", ".", "",
     "linked", "linked/secret.png", "a\0b", "\ud800", None, 5, float("nan")],
)  # fmt: skip
def test_names_that_lead_out_of_it_are_refused(folder: Path, name: object) -> None:
    with pytest.raises(UserError, match=r"table\.csv: 1 names lead out of .*first: "):
        refuse_outside("table.csv", folder, ["images/a.png", name])


def test_a_folder_that_is_a_link_itself_is_no_way_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(folder, target_is_directory=True)
    assert refuse_outside("table.csv", tmp_path / "again", ["images/a.png", "same.png"]) is None
