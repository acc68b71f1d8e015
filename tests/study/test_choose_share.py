"""The probe's share compared on a rated set, on a tiny study and a tiny rated set that the test makes."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from open_clip import CLIP
from test_choose import write_rated
from tiny_study import make_study

from grmp.io import backbone, prior_file
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.prior import learn
from study import params
from study.stages import choose_share


@pytest.fixture
def table(tmp_path: Path, photographs: Path, clip: CLIP, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    make_study(tmp_path, photographs, clip)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose_share, "LABELS", (3,))
    settings = params.load(tmp_path / "params.yaml")
    model = load_prompts(Folders.prompts, backbone.load(Folders.clip, settings.image.crop), settings.prompts)
    width, blocks = model.clip.visual.output_dim, settings.finetune.probe_blocks
    taught = learn(torch.rand(8, len(blocks), width), torch.arange(8) / 8, list("aabbccdd"))
    prior_file.save(Folders.prior, taught, model, blocks)
    write_rated(tmp_path / "rated")
    choose_share.main(tmp_path / "rated", tmp_path / "share.csv", images=16)
    return pd.read_csv(tmp_path / "share.csv")


def test_the_table_has_every_share_and_gains_over_the_studys_own(table: pd.DataFrame) -> None:
    assert table["share"].tolist() == list(choose_share.SHARES)
    own = table[table["share"] == 0.7].iloc[0]
    assert own["gain"] == own["gain_error"] == 0
    expected = (table["srcc"] - own["srcc"]).round(3)
    assert (table["gain"].round(3) - expected).abs().max() <= 0.0015
    assert table["srcc"].nunique() > 1


def test_a_content_is_on_one_side_of_every_split(tmp_path: Path) -> None:
    write_rated(tmp_path)
    dealt = choose_share.deal(choose_share.looked_at(tmp_path, 16), tmp_path, repeats=3)
    for part in ("part_1", "part_2", "part_3"):
        assert set(dealt[part]) == {"train", "test"}
        assert (dealt.groupby("reference")[part].nunique() == 1).all()
