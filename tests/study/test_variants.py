import colorsys
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from grmp.errors import UserError
from study.reports.looks import LOOKS
from study.variants import VARIANTS, find_variant


def test_every_variant_is_found_and_no_other() -> None:
    assert [find_variant(name) for name in VARIANTS] == list(VARIANTS.values())
    with pytest.raises(UserError, match="'half' is no variant; known are full, without_mpp, "):
        find_variant("half")


def test_every_variant_has_a_look_and_no_other_name_has_one() -> None:
    assert set(LOOKS) == set(VARIANTS)


def test_variants_differ_in_marker_dash_and_colour() -> None:
    for one, other in combinations(LOOKS.values(), 2):
        assert one.marker != other.marker
        assert one.dash != other.dash
        assert np.abs(np.subtract(to_rgb(one.colour), to_rgb(other.colour))).max() > 0.2


def test_colours_are_dark_enough_for_text_on_white() -> None:
    for style in LOOKS.values():
        assert colorsys.rgb_to_hls(*to_rgb(style.colour))[1] < 0.55
