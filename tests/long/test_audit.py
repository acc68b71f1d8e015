import dataclasses
import shutil
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from auditing import audit
from auditing.integrity import changed_files, compare, local_changes, read_pins, unclaimed_files
from auditing.licences import REVIEWED, judge, kinds, stated, weights, wrong_photographs
from conftest import PHOTOS, ROOT

HASH = "--hash=sha256:" + "0" * 64


def package(folder: Path, *lines: str, name: str = "thing") -> PathDistribution:
    """An installed package of one module, with these lines of metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]) + "\n")
    (folder / f"{name}.py").write_text("x = 1\n")
    # The hash of `x = 1`, a line end behind it, as pip writes it.
    (info / "RECORD").write_text(f"{name}.py,sha256={CONTENT},6\n{name}-1.0.dist-info/METADATA,,\n")
    return PathDistribution(info)


CONTENT = "nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q"


@pytest.mark.parametrize(
    ("lines", "expression"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: nonsense"], "MIT OR Apache-2.0"),
        (["License: BSD"], "BSD-3-Clause"),
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: ISC License (ISCL)"], "ISC"),
        (["License: MPL-2.0 AND MIT"], "MPL-2.0 AND MIT"),
        (["License: A long", "        text of a licence", "Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (
            [
                "License: Dual License",
                "Classifier: License :: OSI Approved :: BSD License",
                "Classifier: License :: OSI Approved :: Apache Software License",
            ],
            "BSD-3-Clause AND Apache-2.0",
        ),
        (["License: Beerware 42"], "Beerware 42"),
        ([], ""),
    ],
)
def test_what_packages_call_their_licence_becomes_spdx(tmp_path: Path, lines: list[str], expression: str) -> None:
    assert stated(package(tmp_path, *lines)) == expression


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", {"permissive"}),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception", {"permissive"}),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", {"weak", "permissive"}),
        ("EPL-2.0 OR GPL-2.0-or-later", {"weak"}),
        ("GPL-3.0-only", {"other"}),
        ("MIT AND GPL-3.0-only", {"permissive", "other"}),
        ("LicenseRef-NVIDIA-Proprietary", {"nvidia"}),
        ("MIT AND", {"other"}),
    ],
)
def test_of_a_choice_the_mildest_counts_and_of_a_sum_all(expression: str, expected: set[str]) -> None:
    assert kinds(expression) == expected


@pytest.mark.parametrize("lines", [[], ["License: Beerware 42"], ["License-Expression: AGPL-3.0-only"]])
def test_an_unknown_or_strong_licence_is_not_acceptable(tmp_path: Path, lines: list[str]) -> None:
    assert not judge(package(tmp_path, *lines)).acceptable


def test_a_weak_or_a_reviewed_licence_comes_with_a_remark(tmp_path: Path) -> None:
    weak = judge(package(tmp_path, "License: MPL-2.0"))
    reviewed = judge(package(tmp_path, name="pygit2"))
    assert (weak.acceptable, reviewed.acceptable) == (True, True)
    assert "weak copyleft" in weak.remark
    assert REVIEWED["pygit2"][1] in reviewed.remark


def test_the_weights_have_a_licence_too() -> None:
    assert weights().acceptable


def test_this_repositorys_pins_are_exact_and_hashed() -> None:
    pins, wrong = read_pins(ROOT / "requirements.txt")
    assert wrong == []
    assert {"torch", "dvc", "pip"} <= pins.keys()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"thing>=1.0 {HASH}", ["thing: is not pinned with =="]),
        (f"thing==1.* {HASH}", ["thing: is not pinned with =="]),
        (f"thing @ file:///thing.whl {HASH}", ["thing: is not pinned with =="]),
        ("thing==1.0", ["thing: has no sha256"]),
        ("thing==1.0 --hash=md5:0123", ["thing: has no sha256"]),
        ("--index-url=elsewhere", ["requirements.txt: --index-url is an option, not a package"]),
        (f"# words\nthing==1.0 \\\n    {HASH}", []),
        (f"thing==1.0 ; sys_platform == 'none' {HASH}", []),
    ],
)
def test_a_line_that_is_not_pinned_is_named(tmp_path: Path, line: str, expected: list[str]) -> None:
    (tmp_path / "requirements.txt").write_text(line + "\n")
    assert read_pins(tmp_path / "requirements.txt")[1] == expected


def test_what_is_missing_too_many_or_of_another_version_is_named(tmp_path: Path) -> None:
    installed = [package(tmp_path, name="thing"), package(tmp_path, name="extra")]
    (tmp_path / "requirements.txt").write_text(f"thing==2.0 {HASH}\nwanted==1.0 {HASH}\n")
    pins, _ = read_pins(tmp_path / "requirements.txt")
    assert compare(pins, installed) == [
        "wanted: pinned, but not installed",
        "extra 1.0: installed, but not in requirements.txt",
        "thing 1.0: installed, but thing==2.0 is pinned",
    ]


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    thing = package(tmp_path)
    assert changed_files(thing) == (1, [])
    (tmp_path / "thing.py").write_text("x = 2\n")
    assert changed_files(thing) == (1, ["thing: thing.py: is not the recorded one"])
    (tmp_path / "thing.py").unlink()
    assert changed_files(thing) == (1, ["thing: thing.py: missing"])


def test_a_file_of_no_package_is_named_if_python_may_run_it(tmp_path: Path) -> None:
    thing = package(tmp_path)
    (tmp_path / "words.txt").write_text("")
    assert unclaimed_files(tmp_path, [thing]) == []
    (tmp_path / "start.pth").write_text("import evil\n")
    assert unclaimed_files(tmp_path, [thing]) == ["start.pth: belongs to no package"]


def test_an_administrators_certificates_are_a_remark() -> None:
    lines = ["certifi: certifi/cacert.pem: is not the recorded one", "thing: thing.py: missing"]
    assert local_changes(lines) == lines[:1]


@pytest.mark.parametrize(
    ("answer", "verdict", "summary"),
    [
        ("not json", "not checked", "the database cannot be reached"),
        ('{"dependencies": [{"name": "thing", "skip_reason": "not found"}]}', "not checked", "0 of 1 packages"),
        ('{"dependencies": [{"name": "thing", "version": "1.0", "vulns": []}]}', "ok", "1 of 1 packages"),
        (
            '{"dependencies": [{"name": "thing", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}]}',
            "wrong",
            "1 of 1 packages",
        ),
    ],
)
def test_advisories_are_read_and_a_database_out_of_reach_is_no_error(
    monkeypatch: pytest.MonkeyPatch, answer: str, verdict: str, summary: str
) -> None:
    monkeypatch.setattr(audit.subprocess, "run", _answering(answer))
    found = audit.vulnerabilities(Path("requirements.txt"))
    assert found.verdict == verdict
    assert found.summary.startswith(summary)
    assert found.wrong == (["thing 1.0: PYSEC-1, mended in no version"] if verdict == "wrong" else [])


def _answering(text: str):
    return lambda *_, **__: audit.subprocess.CompletedProcess([], 0, text, "ConnectionError: no answer")


def test_the_photographs_match_their_card() -> None:
    assert wrong_photographs(PHOTOS) == []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("photos.csv", "CARD.md"):
        shutil.copy(PHOTOS / name, tmp_path)
    for name in ("images", "LICENSES"):
        (tmp_path / name).mkdir()
        for path in (PHOTOS / name).iterdir():
            (tmp_path / name / path.name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("photos.csv", "Jack Moore,MIT", "Jack Moore,CC0-1.0", "dachshund.jpg: photos.csv says ('CC0-1.0'"),
        ("photos.csv", "Jack Moore,MIT", "Jack Moore,CC-BY-NC-4.0", "CC-BY-NC-4.0 is no licence that this set accepts"),
        ("CARD.md", "forest_stream, mountain_path\n- Jakub", "mountain_path\n- Jakub", "asks for a credit"),
    ],
)
def test_a_photograph_that_contradicts_its_card_is_named(
    photos: Path, file: str, old: str, new: str, expected: str
) -> None:
    text = (photos / file).read_text(encoding="utf-8")
    assert old in text
    (photos / file).write_text(text.replace(old, new), encoding="utf-8")
    assert any(expected in line for line in wrong_photographs(photos))


def test_an_image_without_a_row_and_a_package_without_a_licence_file_are_named(photos: Path) -> None:
    (photos / "images/stranger.jpg").touch()
    for path in (photos / "LICENSES").glob("tuxpaint*"):
        path.unlink()
    wrong = wrong_photographs(photos)
    assert "stranger.jpg: not in photos.csv" in wrong
    assert "brick_lighthouse.jpg: LICENSES/ has no file of tuxpaint-data" in wrong


def test_each_verdict_has_its_word() -> None:
    found = audit.Finding("a", "b", [])
    assert [found.verdict, dataclasses.replace(found, checked=False).verdict] == ["ok", "not checked"]
    assert dataclasses.replace(found, wrong=["x"], checked=False).verdict == "wrong"


@pytest.mark.long
def test_what_the_study_stands_on_is_known_and_unchanged() -> None:
    findings = audit.findings()
    assert not [line for finding in findings for line in finding.wrong]
    assert {finding.part for finding in findings if not finding.checked} <= {"vulnerabilities"}  # no network, no answer
