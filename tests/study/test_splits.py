import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import PHOTOS
from PIL import Image

from grmp.errors import UserError
from study.data.splits import random_split, read_split, set_aside

NOWHERE = Path("nowhere")  # images with references are never opened


def referenced(references: int = 10, each: int = 5) -> pd.DataFrame:
    rows = [(f"images/{r:02}_{n}.png", f"r{r}") for r in range(references) for n in range(each)]
    return pd.DataFrame(rows, columns=["image", "reference"])


def roles_of(split: pd.DataFrame) -> dict[str, set[str]]:
    return {role: set(rows["image"]) for role, rows in split.groupby("role")}


@pytest.mark.parametrize("seed", range(5))
def test_every_image_has_one_role_and_no_reference_has_two(seed: int) -> None:
    manifest = referenced()
    split = random_split(manifest, NOWHERE, 0.2, seed, val_share=0.1)
    assert split["image"].tolist() == sorted(manifest["image"])
    joined = split.merge(manifest, on="image")
    assert (joined.groupby("reference")["role"].nunique() == 1).all()
    assert joined["role"].value_counts().to_dict() == {"train": 35, "test": 10, "val": 5}


def test_without_a_share_there_is_no_validation_part() -> None:
    assert set(random_split(referenced(), NOWHERE, 0.2, 1)["role"]) == {"train", "test"}


def test_shares_are_kept_on_average_where_contents_differ_in_size() -> None:
    rows = [(f"{r}_{n}", f"r{r}") for r in range(12) for n in range(1 + r)]
    manifest = pd.DataFrame(rows, columns=["image", "reference"])
    shares = [(random_split(manifest, NOWHERE, 0.3, seed)["role"] == "test").mean() for seed in range(200)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)


def test_the_split_follows_the_seed_and_nothing_else() -> None:
    manifest = referenced()
    first = random_split(manifest, NOWHERE, 0.2, 1)
    pd.testing.assert_frame_equal(random_split(manifest.sample(frac=1, random_state=3), NOWHERE, 0.2, 1), first)
    assert any(roles_of(random_split(manifest, NOWHERE, 0.2, seed)) != roles_of(first) for seed in (2, 3, 4))


def test_images_without_a_reference_stay_with_those_that_look_alike(tmp_path: Path) -> None:
    names = [path.name for path in sorted((PHOTOS / "images").iterdir())][:6]
    for name in names:
        shutil.copy(PHOTOS / "images" / name, tmp_path / name)
        with Image.open(PHOTOS / "images" / name) as image:
            image.resize((200, 160)).save(tmp_path / f"again_{name}.png")
    images = [path.name for path in tmp_path.iterdir()]
    manifest = pd.DataFrame({"image": images, "reference": ""})
    for seed in range(4):
        role = random_split(manifest, tmp_path, 0.5, seed).set_index("image")["role"]
        assert all(role[name] == role[f"again_{name}.png"] for name in names)
        assert (role == "test").sum() == 6


@pytest.mark.parametrize(("test", "val"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4), (0.2, -0.1)])
def test_impossible_shares_are_refused(test: float, val: float) -> None:
    with pytest.raises(UserError, match="must be shares that leave some for train"):
        random_split(referenced(), NOWHERE, test, 1, val)


def test_too_few_contents_are_an_error_that_names_the_part() -> None:
    with pytest.raises(UserError, match="2 contents are too few: the part `test` got none"):
        random_split(referenced(references=2), NOWHERE, 0.1, 1)


def test_a_split_is_read_in_the_manifests_order(tmp_path: Path) -> None:
    manifest = referenced().sample(frac=1, random_state=0)
    split = random_split(manifest, NOWHERE, 0.2, 1, val_share=0.2)
    split.to_csv(tmp_path / "split.csv", index=False)
    read = read_split(tmp_path / "split.csv", manifest)
    assert read["image"].tolist() == manifest["image"].tolist()
    assert roles_of(read) == roles_of(split)


def test_bare_names_stand_for_images_in_any_folder_and_other_columns_are_kept(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("image,role,scene\nb.bmp,test,night\na.JPG,train,plant\n")
    manifest = pd.DataFrame({"image": ["Images/a.JPG", "Images/b.bmp"]})
    read = read_split(tmp_path / "split.csv", manifest)
    assert read.to_numpy().tolist() == [["Images/a.JPG", "train", "plant"], ["Images/b.bmp", "test", "night"]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.png,train\nb.png,test\nc.png,test", "1 images are not in the set, first: c.png"),
        ("a.png,train", "1 images of the set have no role, first: x/b.png"),
        ("a.png,train\nb.png,test\nx/a.png,test", "1 images stand there again, first: x/a.png"),
        ("a.png,learn\nb.png,", "2 roles are none of train, val, test, first: x/a.png"),
    ],
)
def test_a_split_that_does_not_fit_is_told_in_one_line(tmp_path: Path, rows: str, said: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(f"image,role\n{rows}\n")
    with pytest.raises(UserError) as error:
        read_split(path, pd.DataFrame({"image": ["x/a.png", "x/b.png"]}))
    assert str(error.value) == f"{path}: {said}"


def test_a_bare_name_of_two_images_stands_for_neither(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("image,role\na.png,train\n")
    with pytest.raises(UserError, match=r"1 images are not in the set, first: a\.png"):
        read_split(tmp_path / "split.csv", pd.DataFrame({"image": ["x/a.png", "y/a.png"]}))


@pytest.mark.parametrize("content", [None, "", "image\na.png\n", "role\ntest\n"])
def test_a_table_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "split.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"split\.csv: "):
        read_split(path, pd.DataFrame({"image": ["a.png"]}))


def test_contents_are_set_aside_whole(tmp_path: Path) -> None:
    names = []
    for content in range(8):
        smooth = np.random.default_rng(content).integers(0, 200, (6, 6, 3), dtype=np.uint8)
        for copy in range(2):  # the second a little lighter
            names.append(f"{content}-{copy}.png")
            Image.fromarray(smooth + np.uint8(copy)).resize((60, 60)).save(tmp_path / names[-1])
    dealt, aside = set_aside(pd.DataFrame({"image": names, "reference": ""}), tmp_path, 5)
    assert aside.sum() == 6
    assert (dealt[aside].groupby("reference").size() == 2).all()
    assert dealt["image"][aside].str.split("-").str[0].nunique() == 3
