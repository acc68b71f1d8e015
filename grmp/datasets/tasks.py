"""Published distortions as pre-training tasks, as the paper's own are (TID2013 and KADID-10k)."""

import pandas as pd
import torch

from grmp.errors import UserError
from grmp.pretrain import TaskPool, make_pools
from grmp.runtime import generator


def task_pools(manifest: pd.DataFrame, query_share: float, seed: int) -> dict[str, TaskPool]:
    """One pool per distortion type of a set with references; no reference is in both support and query.

    The places in a pool count the manifest's rows from 0.

    Args:
        manifest: as `read` gives it; every image has a reference and a distortion.
        query_share: share of the references held out for query images, above 0 and below 1.
        seed: which references those are.

    Raises:
        UserError: an image without reference or distortion, too few references, or a type that lacks images of a part.
    """
    bare = manifest[(manifest["reference"] == "") | (manifest["distortion"] == "")]
    if len(bare):
        raise UserError(
            f"{len(bare)} of {len(manifest)} images have no reference or no distortion type, first: "
            f"{bare.iloc[0]['image']}; tasks need a set such as kadid-10k or tid2013"
        )
    query = _held_out(sorted(manifest["reference"].unique()), query_share, seed)
    named = manifest.rename(columns={"reference": "photograph", "distortion": "distortions"}).reset_index(drop=True)
    return make_pools(named, query)


def _held_out(references: list[str], share: float, seed: int) -> set[str]:
    count = max(1, round(share * len(references)))
    if count >= len(references):
        raise UserError(f"{len(references)} references are too few for support and query (query_share {share:g})")
    order = torch.randperm(len(references), generator=generator(seed, 30)).tolist()
    return {references[index] for index in order[:count]}
