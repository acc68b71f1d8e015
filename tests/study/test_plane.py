import itertools

import pytest
import torch

from grmp.projection import project
from study.playground.plane import ACTS, LARGEST, draw, gradients, in_words


@pytest.mark.parametrize("angle", [0, 30, 90, 135, 180])
@pytest.mark.parametrize("when", ACTS)
def test_the_arrows_are_those_of_the_real_projection(angle: int, when: str) -> None:
    found = gradients(angle, 1.7, when)
    assert found.quality.norm() == pytest.approx(1)
    assert torch.rad2deg(torch.acos(found.quality @ found.semantic)) == pytest.approx(angle, abs=0.05)
    [expected] = project([found.quality], [found.semantic], 1.7, when, "tensor").gradients
    torch.testing.assert_close(found.result, expected)


@pytest.mark.parametrize("angle", [0, 20, 45, 85])
def test_at_strength_one_a_right_angle_is_left(angle: int) -> None:
    found = gradients(angle, 1.0, "aligned")
    assert found.left == 0
    assert "right angle" in in_words(found, 1.0, "aligned")


@pytest.mark.parametrize(
    ("angle", "strength", "when", "words"),
    [
        (60, 0.5, "aligned", "which was 0.50 and is 0.25 now: some of the shared direction stays"),
        (60, 5.0, "aligned", "which was 0.50 and is -2.00 now: more than all of it"),
        (120, 5.0, "aligned", "**conflict**; `aligned` acts where they agree. **Nothing is removed**"),
        (120, 1.0, "conflict", "which was -0.50 and is 0.00 now"),
        (60, 1.0, "never", "**Nothing is removed**"),
        (60, 0.0, "aligned", "**Nothing is removed** (λ = 0)"),
        (90, 5.0, "always", "**right angle**"),
    ],
)
def test_words_name_the_case_and_what_is_left(angle: int, strength: float, when: str, words: str) -> None:
    assert words in in_words(gradients(angle, strength, when), strength, when)


def test_whatever_the_controls_say_is_within_the_picture() -> None:
    for angle, strength, when in itertools.product([0, 45, 90, 180], [0, 1.5, LARGEST], ["always", "never"]):
        found = gradients(angle, strength, when)
        axes = draw(found).axes[0]
        for arrow in (found.quality, found.semantic, found.result):
            assert axes.viewLim.contains(*arrow.tolist())
