from pathlib import Path

import pytest
from conftest import ROOT

from grmp.errors import UserError
from study.check import main
from study.params import load


@pytest.mark.parametrize("name", ["params.yaml", "human/params.yaml"])
def test_the_cells_are_counted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(ROOT / name)
    grid, sweep = load(ROOT / name).grid, load(ROOT / name).sweep
    cells = len(grid.variants) * len(grid.labels) + len(sweep.strengths)
    assert capsys.readouterr().out == f"{ROOT / name}: ok, {cells} cells x {grid.repeats} repeats\n"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("variants: [full, without_mpp,", "variants: [full, half, without_mpp,"),
        ("variants: [full, without_qgr]", "variants: [full, half]"),
        ("{variant: without_mpp_probe}", "{variant: half}"),
    ],
)
def test_an_unknown_variant_is_named_with_those_that_are_known(tmp_path: Path, right: str, wrong: str) -> None:
    text = (ROOT / "human/params.yaml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "params.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(UserError, match=r"params\.yaml: 'half' is no variant; known are full, without_mpp, "):
        main(tmp_path / "params.yaml")
