"""README, docs/results.md and docs/model_card.md say what the committed runs give."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats

from grmp.errors import UserError
from grmp.scoring.cli import score
from study.docs import model_card_page, readme, results_page
from study.docs.evidence import Difference, medians, paired
from study.reports.published import LIVEC

PAGES = {
    "README.md": readme.BLOCKS,
    "docs/results.md": results_page.BLOCKS,
    "docs/model_card.md": model_card_page.BLOCKS,
}
COMMENT = re.compile(r"<!-- generated: (\w+) -->")


def by_hand(page: str) -> str:
    """What of a page no function writes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"<!-- generated: \w+ -->.*?<!-- end -->", "", text, flags=re.DOTALL)


def runs(rows: dict[str, list[float]], count: int = 50) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": variant, "count": count, "repeat": repeat, "srcc": value}
            for variant, values in rows.items()
            for repeat, value in enumerate(values, 1)
        ]
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_written_and_every_writer_has_a_block(page: str) -> None:
    found = COMMENT.findall((ROOT / page).read_text(encoding="utf-8"))
    assert sorted(found) == sorted(PAGES[page])


@pytest.mark.parametrize("page", PAGES)
def test_no_result_is_written_by_hand(page: str) -> None:
    published = {f"{value:.3f}" for entry in LIVEC for value in entry.srcc.values()}
    assert set(re.findall(r"(?<![\d.])[-+]?0?\.\d{2,}", by_hand(page))) <= published


def test_a_wrong_number_in_a_block_is_put_right(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("a\n<!-- generated: x -->\n0.9\n<!-- end -->\nb\n", encoding="utf-8")
    assert readme.filled(tmp_path / "page.md", {"x": lambda _: "0.1"}) == (
        "a\n<!-- generated: x -->\n0.1\n<!-- end -->\nb\n"
    )
    with pytest.raises(UserError, match="generated: x is not known"):
        readme.filled(tmp_path / "page.md", {})


def test_medians_of_the_table_are_those_that_dvc_shows() -> None:
    shown = pd.read_json(ROOT / "reports/livec/metrics.json")
    table = medians(readme.human_runs(ROOT / "reports")).set_index("variant")
    assert table.loc["without MPP", "50 labels"].startswith(f"{shown['without_mpp'][50]['srcc']:.3f} (")


def test_the_help_of_the_scorer_names_the_committed_medians() -> None:
    simple, grid = (pd.read_csv(ROOT / f"reports/livec/{name}.csv") for name in ("simple", "runs"))
    none = simple.loc[simple["method"] == "unlabelled", "srcc"].median()
    few = grid.loc[(grid["variant"] == "full_probe") & (grid["count"] == 50), "srcc"].median()
    assert re.findall(r"0\.\d+", score.__doc__ or "") == [f"{none:.2f}", f"{few:.2f}"]


def test_a_paired_difference_is_the_t_test_where_nothing_is_shared() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 8))
    found = paired(runs({"a": list(draws[0]), "b": list(draws[1])}), "a", "b")
    expected = stats.ttest_rel(*draws).confidence_interval()
    assert found == pytest.approx((np.mean(draws[0] - draws[1]), expected.low, expected.high))


def test_counts_of_a_repeat_are_one_value() -> None:
    one = runs({"a": [0.5, 0.7], "b": [0.4, 0.5]})
    assert paired(pd.concat([one, one.assign(count=10)]), "a", "b") == pytest.approx(paired(one, "a", "b"))


def test_nothing_is_claimed_where_the_interval_holds_zero() -> None:
    assert str(Difference(0.1, 0.05, 0.15)) == "+0.100 (95 % interval +0.050 to +0.150)"
    assert str(Difference(0.1, -0.05, 0.25)).endswith("no difference can be claimed")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130
