"""Which images of a folder to label: those whose labels tell the probe most (ours)."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from grmp.crops import cut_views, view_weights
from grmp.design import choose
from grmp.errors import UserError
from grmp.io.inside import refuse_outside
from grmp.io.paths import Folders
from grmp.prior import embed
from grmp.probe_fit import prior_roots
from grmp.runtime import start
from grmp.scoring.fit import load_start
from grmp.scoring.inputs import find_images, read_input
from grmp.scoring.opinions import read_columns
from grmp.settings import Method

_log = logging.getLogger(__name__)
TOGETHER = 256  # images whose crops are in memory


def suggest(data: Path, count: int, settings: Method, labelled: Path | None = None) -> pd.DataFrame:
    """A table for `grmp fit`: `count` images below the folder `data`, the most telling first, and an empty column mos.

    Images that the table `labelled` names have labels already. One that cannot be read is left out, with a warning.

    Raises:
        UserError: fewer are left, a link leads out, `labelled` is no such table, or an earlier stage's file is missing.
    """
    runtime, known = start(settings.compute), set()
    if labelled:
        names = read_columns(labelled, "image")["image"]
        refuse_outside(labelled, data, names)
        known = {data / name for name in names}
    model, prior = load_start(settings, Folders(), runtime)
    views, blocks = settings.image.views, settings.finetune.probe_blocks
    paths, crops, parts, readable = find_images([data]), [], [], []
    refuse_outside(data, data, [path.relative_to(data).as_posix() for path in paths])
    for path in paths:
        try:
            crops.append(cut_views(read_input(path), views, settings.image.crop))
            readable.append(path)
        except UserError as error:
            _log.warning("left out: %s", error)
        if crops and (len(crops) == TOGETHER or path == paths[-1]):
            parts.append(embed(model, torch.stack(crops), view_weights(views), blocks, runtime, "images").numpy())
            crops.clear()
    taken = [place for place, path in enumerate(readable) if path in known]
    if count > len(readable) - len(taken):
        raise UserError(f"--count {count}: only {len(readable) - len(taken)} images without a label can be read")
    found = choose(np.concatenate(parts), prior_roots(settings.finetune, prior), count, taken)
    return pd.DataFrame({"image": [readable[at].relative_to(data).as_posix() for at in found], "mos": ""})
