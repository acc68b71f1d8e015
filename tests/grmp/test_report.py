"""The page about a fit."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from grmp.metrics import fit_logistic
from grmp.scoring.report import WORST, write_report
from grmp.scoring.validation import Validation

COUNT = 12


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n} <b>.png" for n in range(COUNT)]
    for n, path in enumerate(paths):
        Image.new("RGB", (300, 100), (20 * n, 0, 0)).save(path)
    return paths


@pytest.fixture
def found() -> Validation:
    """Image 3 is far off, the others are a little."""
    true = np.linspace(0, 1, COUNT)
    predicted = true + np.linspace(0.01, 0.02, COUNT)
    predicted[3] = 0.9
    return Validation(np.stack([predicted, predicted]), true, {8: 0.6, 10: 0.7}, 1)


def test_the_page_shows_the_card_the_points_and_the_worst_images(
    images: list[Path], found: Validation, tmp_path: Path
) -> None:
    write_report(tmp_path / "page.html", "a <card>", found, images, (100, 0))
    page = (tmp_path / "page.html").read_text()
    assert "a &lt;card&gt;" in page
    assert "<b>" not in page
    scatter, curve = (ElementTree.fromstring(plot) for plot in re.findall("<svg.*?</svg>", page))
    assert len(scatter.findall("circle")) == COUNT
    assert [dot.find("title").text for dot in curve.findall("circle")][:2] == [
        "0.600 with 8 labels",
        "0.700 with 10 labels",
    ]
    assert f"{found.expected(24):.3f} expected with 24 labels" in curve.findall("circle")[2].find("title").text
    worst = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert len(worst) == WORST
    assert "/3 &lt;b&gt;.png: given 72.7, predicted " in worst[0]
    assert page.count("data:image/jpeg;base64,") == WORST


def test_points_stand_where_their_values_are(images: list[Path], found: Validation, tmp_path: Path) -> None:
    write_report(tmp_path / "page.html", "", found, images, (0, 1))
    dots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', (tmp_path / "page.html").read_text())[:COUNT]
    x, y = np.array(dots, float).T
    mapped = fit_logistic(found.predicted[0], found.true)
    low, high = min(0, mapped.min()), max(1, mapped.max())
    np.testing.assert_allclose(x, 60 + 400 * (found.true - low) / (high - low), atol=0.06)
    np.testing.assert_allclose(y, 320 - 290 * (mapped - low) / (high - low), atol=0.06)


def test_nothing_is_fetched_from_elsewhere(images: list[Path], found: Validation, tmp_path: Path) -> None:
    write_report(tmp_path / "page.html", "", found, images, (1, 5))
    assert not re.search(r"https?:|src=\"(?!data:)|<script|<link", (tmp_path / "page.html").read_text())
