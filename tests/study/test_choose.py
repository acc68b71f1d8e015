"""Settings compared on a rated set, on a tiny study and a tiny rated set that the test makes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from tiny_study import make_study

from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from study.data import manifests
from study.data.splits import set_aside
from study.stages import choose
from study.stages.choose import NATIVE, SMALL, Embedder, assess, draws_of, tabulate


def write_rated(folder: Path, contents: int = 8) -> pd.DataFrame:
    """Two copies, one lighter, of `contents` pictures; the more noise, the lower the score."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for content in range(contents):
        draw = np.random.default_rng(content)
        smooth = Image.fromarray(draw.integers(0, 200, (6, 6, 3), dtype=np.uint8)).resize((60, 60))
        for copy in range(2):
            noisy = np.asarray(smooth, float) + draw.normal(0, 2 * content, (60, 60, 3)) + copy
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"images/{content}-{copy}.png")
            rows.append((f"images/{content}-{copy}.png", 1 - content / contents))
    table = pd.DataFrame(rows, columns=["image", "mos"])
    table.to_csv(folder / "scores.csv", index=False)
    return table


def test_a_draw_has_no_content_on_both_sides(tmp_path: Path) -> None:
    table, _ = set_aside(write_rated(tmp_path), tmp_path, 16)
    for order, test in draws_of(table, tmp_path, 3):
        labelled = set(table["reference"].iloc[order])
        assert labelled
        assert not labelled & set(table["reference"][test])


def test_views_are_averaged_within_a_scale_and_kept(
    model: PromptedCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [torch.randint(0, 256, (3, 300, 320), dtype=torch.uint8) for _ in range(2)]
    embedder = Embedder({True: model}, 48, Runtime(torch.device("cpu"), "fp32"), tmp_path)
    mirrored = ("native", 1, True)
    each = [embedder.read("rated", images, view, True) for view in (SMALL, NATIVE, mirrored)]
    monkeypatch.setattr(choose, "embed", None)  # what was embedded is not embedded again
    found = embedder.average("rated", images, (SMALL, NATIVE, mirrored), True)
    torch.testing.assert_close(found, each[0] / 2 + each[1] / 4 + each[2] / 4)
    assert not torch.equal(each[1], each[2])


def test_gains_are_paired_with_the_first_option() -> None:
    first = np.array([[0.5] * 5, [0.7] * 5])
    table = tabulate({"before": first, "after": first + 0.1}, images=20)
    after = table[table["option"] == "after"]
    np.testing.assert_allclose(after["srcc"], 0.7)
    np.testing.assert_allclose(after["srcc_error"], 0.1)
    np.testing.assert_allclose(after["gain"], 0.1)
    np.testing.assert_allclose(after["gain_error"], 0, atol=1e-12)
    assert after["labels"].tolist() == list(choose.LABELS)


def test_a_prior_that_names_the_direction_needs_few_labels() -> None:
    draw = np.random.default_rng(0)
    read, direction = draw.normal(size=(300, 1, 40)), np.zeros(40)
    direction[0] = 1
    scores = (read[:, 0] @ direction).astype(np.float32)
    draws = [(np.arange(100), np.arange(300) >= 200)]
    roots = np.diag(10 * direction + 0.1)[None]
    informed, plain = (assess(read, given, scores, draws) for given in (roots, None))
    assert informed[0, 0] > plain[0, 0] + 0.2
    assert informed[0, -1] > 0.95


def test_the_table_has_every_option(
    tmp_path: Path, photographs: Path, clip: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path, photographs, clip)
    monkeypatch.chdir(tmp_path)
    write_rated(tmp_path / "rated")
    target = tmp_path / "artifacts/distorted/target"
    tasks = manifests.read_manifest(target)
    for name in tasks["image"]:  # a second image of every photograph, to learn a prior from
        darker = Image.open(target / name).convert("RGB").point(lambda value: value // 2)
        darker.save(target / f"{name}.png")
    darkened = tasks.assign(image=tasks["image"] + ".png", score=1 - tasks["score"])
    manifests.write_manifest(target, pd.concat([tasks, darkened]))
    (target.parent / "pretrain").symlink_to(target)
    choose.main(tmp_path / "rated", tmp_path / "development.csv", images=16, draws=2)
    table = pd.read_csv(tmp_path / "development.csv")
    assert table.groupby("option", sort=False).size().to_dict() == dict.fromkeys(choose.OPTIONS, len(choose.LABELS))
    assert (table[table["option"] == "256 alone"]["gain"] == 0).all()
    assert table["srcc"].between(-1, 1).all()
