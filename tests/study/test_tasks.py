import itertools
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from grmp.errors import UserError
from grmp.pretrain import TaskPool
from grmp.settings import Pretrain
from study.data import datasets, manifests
from study.data.tasks import held_out, make_pools, read_tasks
from study.params import Params

NAMES = [f"photo{index}" for index in range(10)]
MANIFEST = pd.DataFrame(
    [(f"p{n}", kind) for kind in ("1", "2", "10") for n in range(8)], columns=["photograph", "distortions"]
)
HELD_OUT = {"p0", "p1", "p2"}


def write_image(path: Path, height: int = 40, width: int = 60) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(path)


def write_generated(folder: Path, types: tuple[str, ...]) -> None:
    rows = [
        {"image": f"images/{name}_{kind}.png", "score": 0.5, "scene": "plant", "photograph": name, "distortions": kind}
        for name in NAMES
        for kind in types
    ]
    for row in rows:
        write_image(folder / row["image"])
    manifests.write_manifest(folder, pd.DataFrame(rows).assign(levels="1", part="pretrain"))


@pytest.fixture
def generated(settings: Params, tmp_path: Path) -> Pretrain:
    write_generated(tmp_path / "pretrain", ("1", "2", "11"))
    write_generated(tmp_path / "target", ("1+2",))
    return settings.pretrain.model_copy(update={"source": str(tmp_path / "pretrain")})


@pytest.fixture
def kadid(settings: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretrain:
    """Two types of five references, in KADID-10k's official layout; the other images are missing on purpose."""
    monkeypatch.setattr("study.data.tasks.read", partial(datasets.read, allow_missing=True))
    for reference, kind, level in itertools.product(range(1, 6), (1, 11), (1, 5)):
        write_image(tmp_path / f"images/I{reference:02}_{kind:02}_{level:02}.png")
    return settings.pretrain.model_copy(update={"source": str(tmp_path)})


def test_the_generated_set_makes_a_task_per_type(generated: Pretrain) -> None:
    found = read_tasks(generated, seed=1)
    assert set(found.pools) == {"1", "2", "11"}
    assert len(found.images) == len(found.scores) == len(found.manifest) == 30
    assert all(image.shape == (3, 40, 60) for image in found.images)  # generated images have their size


def test_mixtures_join_the_tasks_of_each_of_their_types(generated: Pretrain) -> None:
    plain, mixed = (read_tasks(generated.model_copy(update={"mixtures": on}), 1).pools for on in (False, True))
    sizes = {kind: len(mixed[kind].support + mixed[kind].query) for kind in mixed}
    assert sizes == {"1": 20, "2": 20, "11": 10}
    assert plain["11"] == mixed["11"]


def test_kadid_itself_makes_tasks_with_its_raters_scores(kadid: Pretrain) -> None:
    found = read_tasks(kadid, seed=1)
    assert set(found.pools) == {"1", "11"}
    assert all(image.shape == (3, 40, 60) for image in found.images)
    blur = found.manifest[(found.manifest["distortions"] == "1") & (found.manifest["photograph"] == "I01")]
    weak, strong = found.scores[blur.index]  # sorted by name, hence by level
    assert weak > 0.8
    assert strong < 0.2


def test_no_photograph_gives_both_support_and_query(kadid: Pretrain) -> None:
    found = read_tasks(kadid, seed=1)
    for pool in found.pools.values():
        sides = [set(found.manifest["photograph"].iloc[places]) for places in (pool.support, pool.query)]
        assert sides[1] == found.query
        assert not sides[0] & sides[1]


def test_mixtures_are_of_the_generated_set_alone(kadid: Pretrain) -> None:
    with pytest.raises(UserError, match=r"pretrain\.mixtures: .* has none; write false"):
        read_tasks(kadid.model_copy(update={"mixtures": True}), 1)


def test_a_folder_without_tasks_is_told_what_it_should_be(settings: Params, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no tasks; it is artifacts/distorted/pretrain, .* KADID-10k"):
        read_tasks(settings.pretrain.model_copy(update={"source": str(tmp_path)}), 1)


def test_the_held_out_photographs_are_a_share_and_follow_the_seed() -> None:
    assert len(held_out(NAMES, 0.2, 1)) == 2
    assert len(held_out(NAMES, 0.01, 1)) == 1
    assert held_out(NAMES, 0.2, 1) == held_out(NAMES, 0.2, 1)
    assert any(held_out(NAMES, 0.2, seed) != held_out(NAMES, 0.2, 1) for seed in (2, 3, 4))


def test_too_few_photographs_are_told() -> None:
    with pytest.raises(UserError, match="1 photographs are too few"):
        held_out(["alone"], 0.2, 1)


def test_scores_are_of_the_images_beside_them(generated: Pretrain) -> None:
    assert torch.equal(read_tasks(generated, 1).scores, torch.full((30,), 0.5))


def test_there_is_a_pool_per_distortion_type() -> None:
    pools = make_pools(MANIFEST, HELD_OUT)
    assert set(pools) == {"1", "2", "10"}
    assert pools["2"] == TaskPool(support=[11, 12, 13, 14, 15], query=[8, 9, 10])


def test_support_and_query_share_no_photograph_and_leave_none_out() -> None:
    for kind, pool in make_pools(MANIFEST, HELD_OUT).items():
        assert set(MANIFEST["photograph"][pool.query]) == HELD_OUT
        assert not set(MANIFEST["photograph"][pool.support]) & HELD_OUT
        assert sorted(pool.support + pool.query) == MANIFEST.index[MANIFEST["distortions"] == kind].tolist()


def test_a_mixture_is_in_the_pools_of_its_types() -> None:
    rows = [("a", "2+10"), ("b", "1+2"), ("a", "1"), ("b", "10")]
    pools = make_pools(pd.DataFrame(rows, columns=["photograph", "distortions"]), {"b"})
    assert pools == {
        "1": TaskPool(support=[2], query=[1]),
        "2": TaskPool(support=[0], query=[1]),
        "10": TaskPool(support=[0], query=[3]),
    }


@pytest.mark.parametrize(("query", "lacking"), [({"a", "b"}, "support"), (set(), "query")])
def test_a_type_without_support_or_query_is_named(query: set[str], lacking: str) -> None:
    lone = pd.DataFrame({"photograph": ["a", "b"], "distortions": ["7", "7"]})
    with pytest.raises(UserError, match=f"distortion type 7: no images for {lacking}"):
        make_pools(lone, query)
