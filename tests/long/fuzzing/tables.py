"""Surfaces made of tables: manifests, ratings, splits. No image that they name may lie outside of their folder."""

import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image
from scipy.io import savemat

from fuzzing.mutation import mutated
from grmp.scoring.opinions import read_opinions
from study.data import datasets, manifests, photos, sets
from study.data.datasets.catalogue import find
from study.data.datasets.tables import read_table
from study.data.splits import read_split
from study.data.tasks import make_pools

Rows = list[list[str]]
CELLS = (
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "0.5",
    "1",
    "5",
    "True",
    "x",
    "9" * 400,
    "a" * 5000,
    "../outside.png",
    "images/../../outside.png",
    "link.png",
    "linked/outside.png",
    "images",
    ".",
    "..",
    "/",
    "a\x00b",
    "a\nb",
    "\x1b[31mred",
    '"',
    "'",
    "2020-01-01",
    "1+1",
    "+",
    "\u202e",
    "\ufeff",
    "train",
    "test",
    "a.png",
    "A.PNG",
    "animal",
)
_TOKENS = (b",", b",,,,", b"\n", b'"', b"\n" + b"," * 3000, b"a," * 40000, *(cell.encode() for cell in CELLS))


def spreadsheets(rows: Rows, extra: Sequence[str] = ()) -> SearchStrategy[bytes]:
    """The table `rows` with a few cells exchanged, rows and columns doubled or dropped, and then perhaps its bytes."""
    cell = st.one_of(st.sampled_from([*CELLS, *extra]), st.text(max_size=6))
    change = st.tuples(
        st.sampled_from(["put", "put", "put", "put", "drop row", "drop column", "double row", "double column"]),
        st.integers(0, len(rows) - 1),
        st.integers(0, len(rows[0]) - 1),
        cell,
    )
    text = st.lists(change, max_size=4).map(lambda changes: _written(rows, changes))
    return st.one_of(text, text, text.flatmap(lambda content: mutated([content], _TOKENS, 2)))


def _written(rows: Rows, changes: list[tuple[str, int, int, str]]) -> bytes:
    rows = [list(row) for row in rows]
    for kind, down, across, cell in changes:
        down %= max(1, len(rows))
        if not rows or not rows[down]:
            break
        across %= len(rows[down])
        _edit(rows, kind, down, across, cell)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _edit(rows: Rows, kind: str, down: int, across: int, cell: str) -> None:
    if kind == "put":
        rows[down][across] = cell
    elif kind == "drop row":
        del rows[down]
    elif kind == "double row":
        rows.insert(down, list(rows[down]))
    else:
        for row in rows:
            if across < len(row):
                row[across : across + 1] = [] if kind == "drop column" else [row[across]] * 2


def _make_folder(folder: Path) -> str:
    """A folder `set` with three images, and links out of it; the absolute name of an image outside."""
    inside = folder / "set" / "images"
    inside.mkdir(parents=True)
    for path in (inside / "a.png", inside / "b.png", inside / "c.png", folder / "outside.png"):
        Image.fromarray(np.random.default_rng(len(path.name)).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
        if path.parent == inside:
            (folder / "set" / path.name).write_bytes(path.read_bytes())
    for place in (folder / "set", inside):
        (place / "link.png").symlink_to(folder / "outside.png")
        (place / "linked").symlink_to(folder, target_is_directory=True)
    return str(folder / "outside.png")


class _Tabled:
    """A folder with a table in it."""

    ROWS: Rows = []
    TABLE = "table.csv"

    def __init__(self, folder: Path) -> None:
        self.outside = _make_folder(folder)
        self.folder = folder / "set"

    def inputs(self) -> SearchStrategy[bytes]:
        return spreadsheets(self.ROWS, [self.outside])

    def feed(self, content: bytes) -> None:
        (self.folder / self.TABLE).write_bytes(content)
        self.read(self.folder / self.TABLE)

    def read(self, table: Path) -> None:
        raise NotImplementedError

    def assert_inside(self, paths: Sequence[Path]) -> None:
        """Images that were accepted are files, in the folder."""
        for path in paths:
            assert path.is_file(), f"accepted, but no file: {path!r}"
            assert Path(os.path.realpath(path)).is_relative_to(self.folder), f"reaches outside: {path!r}"


class Manifest(_Tabled):
    """manifest.csv of a generated or a rated set, as the study's stages read it."""

    TABLE = "manifest.csv"
    ROWS = [
        ["image", "score", "scene", "photograph", "distortions", "levels", "part", "part_1"],
        ["images/a.png", "0.25", "animal", "a", "1+2", "1+1", "train", "test"],
        ["images/b.png", "0.5", "night", "b", "1+2", "1+3", "train", "train"],
        ["images/c.png", "0.75", "animal", "c", "2", "5", "test", "train"],
    ]

    def read(self, table: Path) -> None:
        manifest = manifests.read_manifest(table.parent)
        assert len(list(sets.read_images(table.parent, manifest))) == len(manifest)
        self.assert_inside([table.parent / name for name in manifest["image"]])
        found = sets.scores(manifest)
        assert ((found >= 0) & (found <= 1)).all()
        sets.folds(manifest, 1)
        make_pools(manifest, {"a"})


class Ratings(_Tabled):
    """The table of `grmp fit`."""

    ROWS = [["image", "mos"], ["a.png", "1"], ["b.png", "2.5"], ["images/c.png", "5"]]

    def read(self, table: Path) -> None:
        opinions = read_opinions(self.folder, table)
        self.assert_inside(opinions.paths)
        assert np.isfinite(opinions.scores).all()
        assert np.ptp(opinions.scores) > 0


class Photographs(_Tabled):
    """photos.csv of the embedded photographs."""

    TABLE = "photos.csv"
    ROWS = [["file", "scene", "caption"], ["a.png", "animal", "x, y"], ["b.png", "night", "z"]]

    def read(self, table: Path) -> None:
        self.assert_inside([photo.path for photo in photos.read_manifest(table.parent)])


class Split(_Tabled):
    """A published split."""

    ROWS = [["image", "role"], ["images/a.png", "train"], ["b.png", "val"], ["images/c.png", "test"]]
    MANIFEST = pd.DataFrame({"image": [f"images/{letter}.png" for letter in "abc"]})

    def read(self, table: Path) -> None:
        split = read_split(table, self.MANIFEST)
        assert split["image"].tolist() == self.MANIFEST["image"].tolist()
        assert split["role"].isin(["train", "val", "test"]).all()


class OwnSet(_Tabled):
    """A rated set of one's own, with every column that is known."""

    TABLE = "scores.csv"
    ROWS = [
        ["image", "mos", "mos_std", "reference", "distortion", "scene", "part"],
        ["a.png", "1", "0.5", "r", "d", "animal", "train"],
        ["images/b.png", "3", "", "", "", "", ""],
        ["c.png", "5", "1", "r", "d", "night", "test"],
    ]

    def read(self, table: Path) -> None:
        manifest = datasets.read("csv", self.folder, scale=(1, 5))
        self.assert_inside([self.folder / name for name in manifest["image"]])
        assert manifest["score"].between(0, 1).all()


class Grades(_Tabled):
    """BID's table, whose columns have no names that could be relied on."""

    TABLE = "DatabaseGrades.csv"
    ROWS = [["Image number", "Average", "", "grade 1"], ["1", "3.5", "", "3"], ["2", "1", "", "4"]]

    def read(self, table: Path) -> None:
        read_table(dataclasses.replace(find("bid"), images=2), table.parent)


class Matrices(_Tabled):
    """LIVEC's tables, which are MATLAB's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = self.folder / "Data"
        self.data.mkdir()
        names = np.empty((9, 1), dtype=object)
        names[:, 0] = [np.array([f"{number}.bmp"]) for number in range(9)]
        self.seeds = []
        for compressed in (False, True):
            values = {"AllImages": names, "AllMOS": np.full((1, 9), 50.0), "AllStdDev": np.full((1, 9), 5.0)}
            for key, value in values.items():
                path = self.data / f"{key}_release.mat"
                savemat(path, {f"{key}_release": value}, do_compression=compressed)
                self.seeds.append(bytes([len(self.seeds) % 3]) + path.read_bytes())

    def inputs(self) -> SearchStrategy[bytes]:
        return mutated(self.seeds, [number.to_bytes(4, "little") for number in (0, 1, 5, 9, 14, 15, 17, 2**31, 2**24)])

    def feed(self, content: bytes) -> None:
        which = (content[0] if content else 0) % 3
        path = self.data / f"{('AllImages', 'AllMOS', 'AllStdDev')[which]}_release.mat"
        right = path.read_bytes()
        try:
            path.write_bytes(content[1:])
            read_table(dataclasses.replace(find("livec"), images=9), self.folder)
        finally:
            path.write_bytes(right)
