"""The labels agree with KADID-10k's raters, and the map that makes them is monotone and keeps ties apart."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as Pillow

from grmp.errors import UserError
from study.data.distortions import DISTORTIONS, LEVELS, distort
from study.data.labels import (
    LabelMap,
    agreement,
    agreement_per_type,
    kadid_cells,
    leave_one_type_out,
    similarity,
)
from study.stages.distorting import severity_cells

PHOTOGRAPHS = Path(__file__).parents[2] / "assets/photos/images"


def photographs(*names: str) -> list[np.ndarray]:
    return [np.array(Pillow.open(PHOTOGRAPHS / f"{name}.jpg").convert("RGB")) for name in names]


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    rows = [
        (str(kind.number), str(level), similarity(photograph, distort(photograph, kind, level, generator)))
        for index, photograph in enumerate(photographs("dachshund", "amsterdam_canal"))
        for kind in DISTORTIONS
        for level in LEVELS
        for generator in [np.random.default_rng([0, index, kind.number, level])]
    ]
    return severity_cells(pd.DataFrame(rows, columns=["distortions", "levels", "similarity"]))


@pytest.fixture
def image() -> np.ndarray:
    return photographs("dachshund")[0][:128, :160]


def test_kadids_cells_are_all_there_and_rise_with_quality() -> None:
    cells = kadid_cells()
    assert list(cells.columns) == ["type", "level", "mos", "score"]
    assert cells[["type", "level"]].to_numpy().tolist() == [
        [kind, level] for kind in range(1, 26) for level in range(1, 6)
    ]
    # Higher is better: the weakest Gaussian blur is invisible, the strongest is among the worst of all.
    blur = cells.loc[cells["type"] == 1, "mos"].to_numpy()
    assert blur[0] == pytest.approx(4.61, abs=0.005)
    assert blur[-1] == pytest.approx(1.30, abs=0.005)
    np.testing.assert_allclose(cells["score"], (cells["mos"] - 1) / 4)


def test_kadids_mean_shift_and_contrast_peak_in_the_middle() -> None:
    best = kadid_cells().groupby("type")["mos"].apply(np.argmax)
    assert best[18] == best[25] == 2
    assert (best.drop([18, 25]) == 0).all()


def test_similarity_is_one_for_the_same_image_and_falls_with_the_level(image: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    falling = [similarity(image, image)]
    falling += [similarity(image, distort(image, "lens_blur", level, generator)) for level in (1, 3, 5)]
    assert falling[0] == pytest.approx(1, abs=1e-3)
    assert all(earlier > later for earlier, later in pairwise(falling))
    assert falling[-1] > 0


@pytest.mark.parametrize("name", ["saturation_lab", "colour_diffusion", "saturation_hsv", "brighten"])
def test_similarity_sees_colour_and_brightness(name: str, image: np.ndarray) -> None:
    assert similarity(image, distort(image, name, 5, np.random.default_rng(0))) < 0.9


def test_similarity_leaves_torchs_threads_as_they_were(image: np.ndarray) -> None:
    before = torch.get_num_threads()
    similarity(image, image)
    assert torch.get_num_threads() == before


def test_the_smallest_images_can_be_compared(image: np.ndarray) -> None:
    small = image[:32, :47]
    assert 0 <= similarity(small, distort(small, "jpeg", 5, np.random.default_rng(0))) < 1


@pytest.mark.parametrize("wrong", [np.zeros((64, 64, 3), np.uint8), np.zeros((128, 160, 3), np.float32)])
def test_pairs_that_do_not_fit_are_refused(wrong: np.ndarray, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="need"):
        similarity(image, wrong)


def test_similarity_agrees_with_kadids_raters(cells: pd.DataFrame) -> None:
    assert agreement(cells) >= 0.90
    per_type = agreement_per_type(cells)
    # Type 7 ends in complementary hues, which the raters liked less than grey and the metrics more.
    assert per_type.drop(7).min() >= 0.6
    assert per_type.median() == pytest.approx(1)


def test_the_map_holds_for_a_type_it_never_saw(cells: pd.DataFrame) -> None:
    predicted = leave_one_type_out(cells)
    assert len(predicted) == 125
    assert agreement(predicted, "predicted") >= 0.85
    assert (predicted["predicted"] - predicted["score"]).abs().mean() < 0.12


def test_the_map_rises_strictly_from_zero_and_stays_in_range(cells: pd.DataFrame) -> None:
    scores = LabelMap.fit(cells)(np.linspace(0, 1, 1001))
    assert (np.diff(scores) > 0).all()
    assert scores[0] == 0
    assert scores[-1] == pytest.approx(cells["score"].max())


def test_the_map_clips_what_lies_outside(cells: pd.DataFrame) -> None:
    chosen = LabelMap.fit(cells)
    np.testing.assert_array_equal(chosen(np.array([-0.5, 1.5])), chosen(np.array([0.0, 1.0])))


def test_the_map_recovers_a_monotone_relation() -> None:
    known = pd.DataFrame({"similarity": np.linspace(0.05, 1, 60)})
    known["score"] = 0.9 * known["similarity"] ** 2
    np.testing.assert_allclose(LabelMap.fit(known)(known["similarity"].to_numpy()), known["score"], atol=0.005)


def test_a_best_cell_short_of_identity_is_no_trouble() -> None:
    known = pd.DataFrame({"similarity": [0.0, 0.4, 0.4, 0.9], "score": [0.0, 0.3, 0.4, 0.8]})
    chosen = LabelMap.fit(known)
    assert chosen(0.4) == pytest.approx(0.35)
    assert chosen(1.0) == pytest.approx(0.8)


def test_the_map_survives_the_file(cells: pd.DataFrame, tmp_path: Path) -> None:
    chosen = LabelMap.fit(cells)
    chosen.save(tmp_path / "map.json")
    grid = np.linspace(0, 1, 101)
    np.testing.assert_array_equal(LabelMap.load(tmp_path / "map.json")(grid), chosen(grid))


@pytest.mark.parametrize("content", [None, "not json", "{}", '{"similarity": [0, 0], "score": [0, 1]}'])
def test_a_file_that_is_no_map_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"map\.json.*LabelMap\.fit"):
        LabelMap.load(path)
