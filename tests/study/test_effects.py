import pandas as pd
import pytest

from study.reports.effects import effects, effects_plot

REPEATS = list(range(1, 11))
BASE = pd.DataFrame(
    [(variant, repeat, 0.5 + repeat / 100) for variant in ("full", "ridge") for repeat in REPEATS],
    columns=["variant", "repeat", "srcc"],
)
CHANGES = {"worse": {"qgr.when": "never"}, "same": {"variant": "ridge", "finetune.views": 1}}


def moved(variant: str, by: float) -> pd.DataFrame:
    rows = BASE[BASE["variant"] == variant]
    return rows.assign(srcc=rows["srcc"] + by)[::-1]  # in another order, so that pairs must be found


@pytest.fixture
def table() -> pd.DataFrame:
    return effects({"same": moved("ridge", 0), "worse": moved("full", -0.1)}, BASE, CHANGES)


def test_splits_are_paired_within_the_variant(table: pd.DataFrame) -> None:
    assert table["choice"].tolist() == ["worse", "same"]
    assert table[["difference", "low", "high"]].iloc[0].tolist() == pytest.approx([-0.1] * 3)
    assert table["srcc"].tolist() == pytest.approx([0.455, 0.555])


def test_only_what_differs_has_a_small_p(table: pd.DataFrame) -> None:
    assert table["p"].iloc[0] == pytest.approx(2 / 2**10)
    assert table["p"].iloc[1] == 1


def test_the_changed_keys_are_named(table: pd.DataFrame) -> None:
    assert table["changes"].tolist() == ["qgr.when never", "variant ridge, finetune.views 1"]


def test_the_most_harmful_is_at_the_top_of_the_figure(table: pd.DataFrame) -> None:
    axes = effects_plot(table).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == table["changes"].tolist()[::-1]
    assert axes.lines[-2].get_marker() == "o"
    assert axes.lines[-2].get_xdata()[0] == pytest.approx(-0.1)


def test_no_choices_make_an_empty_table() -> None:
    assert effects({}, BASE, {}).empty
