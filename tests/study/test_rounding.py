import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from grmp.errors import UserError
from study.docs.rounding import collect, effects, rounding_table

ROWS = [("full", 10, 1, 0.5), ("full", 10, 2, 0.6), ("without_qgr", 10, 1, 0.4), ("without_qgr", 10, 2, 0.4)]


def git(*words: str) -> str:
    user = ["-c", "user.name=test", "-c", "user.email=test"]
    return subprocess.run(["git", *user, *words], capture_output=True, text=True, check=True).stdout.strip()


def commit(rows: list[tuple], precision: str, params: str = "seed: 1\n", device: str = "CPU (a, model 1)") -> str:
    """Commit what a study leaves, in the current folder."""
    Path("reports").mkdir(exist_ok=True)
    Path("params.yaml").write_text(params)
    Path("data.dvc").write_text("outs: []\n")
    columns = ["variant", "count", "repeat", "srcc"]
    pd.DataFrame(rows, columns=columns).assign(plcc=0).to_csv("reports/ablation.csv", index=False)
    table = "".join(f"<td>{name}</td>\n <td>{value}</td>" for name, value in stated(precision, device).items())
    cell = {"outputs": [{"data": {"text/html": [table]}}]}
    Path("reports/03_finetune.ipynb").write_text(json.dumps({"cells": [{}, cell]}))
    git("add", "-A")
    git("commit", "-qm", precision)
    return git("rev-parse", "--short", "HEAD")


def stated(precision: str, device: str) -> dict[str, str]:
    return {"device": f"{device}, 2 threads", "precision": precision}


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")


def test_runs_of_every_commit_stand_beside_what_computed_them() -> None:
    other = [(*key, srcc - 0.02 * (key == ["full", 10, 2])) for *key, srcc in ROWS]
    names = [commit(ROWS, "bf16"), commit(other, "fp32")]
    runs = collect(names)
    assert runs["commit"].unique().tolist() == names
    assert runs["processor"].unique().tolist() == ["CPU (a, model 1)"]
    added = effects(runs)
    assert [one.mean for one in added.values()] == pytest.approx([0.15, 0.14])
    table = rounding_table(runs)
    assert table["precision"].tolist() == ["bf16", "fp32"]
    assert table["full, 10 labels"].tolist() == ["0.5500", "0.5400"]
    assert table["largest difference of a run"].tolist() == ["0.0000", "0.0200"]


def test_commits_whose_parameters_differ_are_refused() -> None:
    names = [commit(ROWS, "bf16"), commit(ROWS, "fp32", params="seed: 2\n")]
    with pytest.raises(UserError, match=r"its params\.yaml is not that of"):
        collect(names)


def test_a_commit_that_is_not_there_is_named() -> None:
    commit(ROWS, "bf16")
    with pytest.raises(UserError, match="nowhere: has no"):
        collect(["nowhere"])
