"""Labels of which higher is worse are found out, or told."""

from pathlib import Path

import numpy as np
import pytest

from grmp.errors import UserError
from grmp.scoring.card import Card
from grmp.scoring.opinions import Opinions, read_opinions

UNTUNED = np.array([0.2, 0.4, 0.5, 0.7])


def opinions(scores: list[float], **more: object) -> Opinions:
    return Opinions("dmos.csv", [Path(str(n)) for n in range(4)], np.array(scores, float), **{"bounds": None, **more})


def test_labels_that_go_against_the_untuned_scores_are_asked_about() -> None:
    with pytest.raises(UserError, match=r"dmos.csv: .* \(SRCC -1.00\).*--higher-is worse or --range HIGHEST LOWEST"):
        opinions([80, 60, 40, 20]).check_direction(UNTUNED)
    opinions([20, 40, 60, 80]).check_direction(UNTUNED)


@pytest.mark.parametrize("more", [{"bounds": (100, 0)}, {"higher_is": "worse"}, {"higher_is": "better"}])
def test_what_was_told_is_not_asked(more: dict) -> None:
    opinions([80, 60, 40, 20], **more).check_direction(UNTUNED)


def test_the_ends_follow_the_direction() -> None:
    assert opinions([80, 60, 40, 20]).ends() == (20, 80)
    assert opinions([80, 60, 40, 20], higher_is="better").ends() == (20, 80)
    assert opinions([80, 60, 40, 20], higher_is="worse").ends() == (80, 20)
    assert opinions([80, 60, 40, 20], bounds=(100, 0)).ends() == (100, 0)


def test_a_range_and_a_direction_that_differ_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("")
    (tmp_path / "scores.csv").write_text("image,mos\na,1\nb,2\n")
    table = (tmp_path, tmp_path / "scores.csv", "image", "mos")
    with pytest.raises(UserError, match="opposite"):
        read_opinions(*table, (5, 1), "better")
    assert read_opinions(*table, (5, 1), "worse").ends() == (5, 1)


def test_the_card_tells_the_direction(card: Card) -> None:
    assert "in them, higher is better" in card.text()
    turned = card.labels.model_copy(update={"low": 100, "high": 0})
    assert "in them, higher is worse" in card.model_copy(update={"labels": turned}).text()
