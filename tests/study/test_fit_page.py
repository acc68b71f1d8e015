"""The page about a fit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grmp.errors import UserError
from grmp.scoring.card import Card
from study.stages import fit_page
from study.stages.fit_page import WORST, expected

COUNT = 12


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """Image 3 is far off, the others are a little."""
    paths = [tmp_path / f"{n} <b>.png" for n in range(COUNT)]
    for n, path in enumerate(paths):
        Image.new("RGB", (300, 100), (20 * n, 0, 0)).save(path)
    given = np.linspace(1, 5, COUNT)
    predicted = given + np.linspace(0.01, 0.02, COUNT)
    predicted[3] = 4.5
    return pd.DataFrame({"image": list(map(str, paths)), "given": given, "predicted": predicted})


@pytest.fixture
def card(card: Card) -> Card:
    held_out = card.held_out.model_copy(update={"curve": {8: 0.6, 10: 0.7}, "images": COUNT})
    return card.model_copy(update={"held_out": held_out, "backbone": "a <b>"})


def test_the_page_shows_the_card_the_figures_and_the_worst_images(card: Card, table: pd.DataFrame) -> None:
    page = fit_page.fit_page(card, table)
    assert "a &lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<svg") == 2
    assert f"0.600 with 8 labels; 0.700 with 10 labels; {expected({8: 0.6, 10: 0.7}, 24):.3f} with 24" in page
    worst = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert len(worst) == page.count("data:image/jpeg;base64,") == WORST
    assert "/3 &lt;b&gt;.png: given 2.09, predicted 4.5" in worst[0]
    assert not re.search(r"src=\"(?!data:)|<script|<link", page)


def test_the_points_are_the_tables(table: pd.DataFrame) -> None:
    axes = fit_page.scatter(table).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), table[["given", "predicted"]])


def test_more_labels_are_expected_to_bring_more() -> None:
    assert expected({10: 0.6, 20: 0.7, 40: 0.775}, 80) == pytest.approx(1 - 0.4 * 0.75**3)
    assert expected({10: 0.6, 20: 0.5}, 80) <= 0.6
    assert expected({8: 0.6}, 20) is None


def test_a_card_without_a_measurement_is_refused(card: Card, table: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="from ten on"):
        fit_page.fit_page(card.model_copy(update={"held_out": None}), table)


def test_it_is_written_beside_the_checkpoint(
    checkpoint: Path, card: Card, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.to_csv(checkpoint.with_suffix(".csv"), index=False)
    monkeypatch.setattr(fit_page, "read_card", lambda path: card)
    fit_page.main(checkpoint)
    assert fit_page.TITLE in checkpoint.with_suffix(".html").read_text()
