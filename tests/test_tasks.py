import pandas as pd
import pytest

from grmp.datasets.tasks import task_pools
from grmp.errors import UserError

MANIFEST = pd.DataFrame(
    [
        (f"I{r:02}_{kind}_{level}.png", f"I{r:02}", str(kind))
        for r in range(10)
        for kind in (1, 2, 11)
        for level in (1, 2)
    ],
    columns=["image", "reference", "distortion"],
)


@pytest.mark.parametrize("seed", range(3))
def test_each_type_is_a_task_whose_parts_share_no_reference(seed: int) -> None:
    pools = task_pools(MANIFEST, 0.2, seed)
    assert set(pools) == {"1", "2", "11"}
    held_out = {frozenset(MANIFEST["reference"].iloc[pool.query]) for pool in pools.values()}
    assert len(held_out) == 1  # the same references in every task: no content is learnt in one and judged in another
    for kind, pool in pools.items():
        assert len(set(MANIFEST["reference"].iloc[pool.query])) == 2
        assert not set(MANIFEST["reference"].iloc[pool.query]) & set(MANIFEST["reference"].iloc[pool.support])
        assert sorted(pool.support + pool.query) == MANIFEST.index[MANIFEST["distortion"] == kind].tolist()


def test_places_count_rows_whatever_the_index() -> None:
    assert task_pools(MANIFEST.set_index(MANIFEST.index + 100), 0.2, 1) == task_pools(MANIFEST, 0.2, 1)


def test_the_query_references_follow_the_seed() -> None:
    assert task_pools(MANIFEST, 0.2, 1) == task_pools(MANIFEST, 0.2, 1)
    assert any(task_pools(MANIFEST, 0.2, seed) != task_pools(MANIFEST, 0.2, 1) for seed in (2, 3, 4))


@pytest.mark.parametrize("column", ["reference", "distortion"])
def test_sets_without_references_or_types_make_no_tasks(column: str) -> None:
    with pytest.raises(UserError, match="60 of 60 images have no reference or no distortion type"):
        task_pools(MANIFEST.assign(**{column: ""}), 0.2, 1)


def test_too_few_references_are_told() -> None:
    with pytest.raises(UserError, match="1 references are too few"):
        task_pools(MANIFEST[MANIFEST["reference"] == "I00"], 0.2, 1)


def test_a_type_without_query_images_is_named() -> None:
    alone = pd.DataFrame([("x.png", "I00", "99"), *MANIFEST.itertuples(index=False)], columns=MANIFEST.columns)
    with pytest.raises(UserError, match="distortion type 99: no images for query"):
        task_pools(alone, 0.2, 1)
