from pathlib import Path

import pandas as pd
import pytest
from study.running.recheck import compare_runs, main

from grmp.errors import UserError


def table(*srcc: float, variant: str = "full") -> pd.DataFrame:
    return pd.DataFrame({"variant": variant, "labels": 50, "repeat": range(1, len(srcc) + 1), "srcc": srcc})


def test_runs_are_paired_by_variant_labels_and_repeat() -> None:
    kept = pd.concat([table(0.1, 0.1, 0.1, variant="ridge"), table(0.7, 0.8, 0.9)])
    both = compare_runs(table(0.71, 0.82), kept)
    assert both["committed"].tolist() == [0.7, 0.8]
    assert both["again"].tolist() == [0.71, 0.82]


@pytest.mark.filterwarnings("error")
def test_counts_are_found_where_fractions_are_committed_too() -> None:
    kept = pd.concat([table(0.7, 0.8), table(0.9).assign(labels=0.2)])
    assert compare_runs(table(0.7, 0.8), kept)["committed"].tolist() == [0.7, 0.8]


def test_a_run_that_nobody_committed_is_named() -> None:
    with pytest.raises(UserError, match="full at 50 labels, repeat 3: is not committed"):
        compare_runs(table(0.7, 0.8, 0.9), table(0.7, 0.8))


@pytest.mark.parametrize(("now", "fails"), [((0.6, 0.71, 0.9), False), ((0.7, 0.73, 0.7), False), ((0.73,) * 3, True)])
def test_the_medians_decide(tmp_path: Path, now: tuple[float, ...], fails: bool) -> None:
    table(*now).to_csv(tmp_path / "now.csv", index=False)
    table(0.7, 0.7, 0.8).to_csv(tmp_path / "kept.csv", index=False)
    if fails:
        with pytest.raises(UserError, match=r"differs by 0\.0300"):
            main(tmp_path / "now.csv", tmp_path / "kept.csv", 0.02)
    else:
        main(tmp_path / "now.csv", tmp_path / "kept.csv", 0.02)
