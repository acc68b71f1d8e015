"""Simple rows on the grid's splits and labelled images: BRISQUE's features with ridge, and ridge behind one block.

Beside them stands what no label of the set gives: `study.stages.unlabelled`, as the row with 0 labels.

NIQE (Mittal, Soundararajan and Bovik, 2013) has no row: its features are BRISQUE's, of patches.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pandas as pd
import typer
from jaxtyping import Float, UInt8
from sklearn.linear_model import RidgeCV
from torch import Tensor

from grmp.errors import UserError
from grmp.io.files import write_whole
from grmp.io.paths import Folders
from grmp.metrics import DECIMALS, plcc, srcc
from grmp.prior import ALPHAS
from grmp.probe import Probe
from grmp.progress import Progress
from study import params
from study.command import run_command
from study.data import manifests, sets
from study.data.pixels import to_array
from study.params import label_count
from study.stages.inputs import Inputs, labelled_indices, read_inputs
from study.stages.ridge import fit_predict
from study.stages.unlabelled import BLOCKS, teach, untouched_tower

COLUMNS = ["method", "labels", "count", "repeat", "srcc", "plcc"]


def brisque_features(image: UInt8[Tensor, "3 h w"]) -> Float[np.ndarray, " 36"]:
    """BRISQUE's natural-scene statistics of an RGB image in grey: 18 at its own size and 18 at half of it, by OpenCV.

    They are the parameters of the distributions of locally normalised pixels and of products of neighbouring ones
    (Mittal, Moorthy and Bovik, IEEE TIP 21, 2012).
    """
    grey = cv2.cvtColor(to_array(image), cv2.COLOR_RGB2GRAY)
    found = cv2.quality.QualityBRISQUE_computeFeatures(grey)[0].astype(float)
    return np.nan_to_num(found)  # where nothing varies, the variances are 0 / 0


def predict_by_block(
    train: Float[np.ndarray, "k block e"], scores: Float[np.ndarray, " k"], test: Float[np.ndarray, "n block e"]
) -> Float[np.ndarray, " n"]:
    """Predictions for `test` of a ridge behind one block: that with the least leave-one-out error on the labels.

    The strength of each block's penalty is chosen by the same error, among `grmp.prior.ALPHAS`.
    """
    fitted = [RidgeCV(ALPHAS).fit(few, scores) for few in train.swapaxes(0, 1)]
    block = int(np.argmax([one.best_score_ for one in fitted]))
    return fitted[block].predict(test[:, block])


def predict(
    inputs: Inputs, brisque: Float[np.ndarray, "n 36"], count: int, repeat: int
) -> dict[str, Float[np.ndarray, " m"]]:
    """Predictions for the test images of a repeat by each method, from the scores of its labelled images alone.

    Args:
        inputs: what all cells share.
        brisque: `brisque_features` of all images.
        count: labelled images.
        repeat: from 1 on.

    Raises:
        UserError: the features were made without what a probe reads.
    """
    few, test = labelled_indices(inputs, count, repeat), inputs.folds[repeat - 1].test
    last = inputs.plain.average(inputs.plain.embeddings)
    blocks, scores = np.concatenate([inputs.plain.probed(), last[:, None]], axis=1), inputs.scores[few].numpy()
    return {
        "brisque_ridge": fit_predict(brisque[few], scores, brisque[test], standardise=True),
        "block_ridge": predict_by_block(blocks[few], scores, blocks[test]),
    }


def assess(inputs: Inputs, brisque: Float[np.ndarray, "n 36"], labels: int | float, repeat: int) -> pd.DataFrame:
    """A row per method: SRCC and PLCC on the test part of a repeat. Test scores are read here and nowhere before.

    Raises:
        UserError: more labels than the repeat's pool holds, or as `predict`.
    """
    fold = inputs.folds[repeat - 1]
    count, truth = label_count(labels, len(fold.train)), inputs.scores[fold.test].numpy()
    rows = [
        (method, labels, count, repeat, srcc(predicted, truth), plcc(predicted, truth))
        for method, predicted in predict(inputs, brisque, count, repeat).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def assess_unlabelled(inputs: Inputs, probe: Probe) -> pd.DataFrame:
    """A row per repeat, as of `assess`: what a probe predicts that has seen none of the set's labels."""
    read = inputs.plain.probed()[:, [inputs.finetune.probe_blocks.index(block) for block in probe.settings.blocks]]
    predicted, rows = probe(inputs.scores.new_zeros(len(read)), read).numpy(), []
    for repeat, fold in enumerate(inputs.folds, 1):
        truth = inputs.scores[fold.test].numpy()
        rows.append(("unlabelled", 0, 0, repeat, srcc(predicted[fold.test], truth), plcc(predicted[fold.test], truth)))
    return pd.DataFrame(rows, columns=COLUMNS)


def main(
    out: Annotated[Path, typer.Argument(help="the table to write")],
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    taught_by: Annotated[Path, typer.Option(help="the generated set behind 0 labels")] = sets.GENERATED,
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Assess the simple rows on a rated set's splits; needs what `dvc repro features` makes."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; simple rows are of studies of human-rated sets")
    if not set(BLOCKS) <= set(settings.finetune.probe_blocks):
        raise UserError(f"{params_path}: finetune.probe_blocks: must have {BLOCKS}, behind which no label is judged")
    own, grid = Folders(target=target), settings.grid
    inputs = read_inputs(own, settings.compute, settings.prompts, settings.image, settings.finetune, grid.repeats)
    images = sets.full_images(Path(settings.target.folder), manifests.read_manifest(target))
    progress, features = Progress("BRISQUE's features", len(inputs.scores), "images"), []
    for number, image in enumerate(images, 1):
        features.append(brisque_features(image))
        progress.update(number, items=1)
    tables = [
        assess(inputs, np.stack(features), labels, repeat)
        for repeat in range(1, grid.repeats + 1)
        for labels in grid.labels
    ]
    tower = untouched_tower(own.clip, settings.image.crop, settings)
    probe = teach(tower, taught_by, settings.image, inputs.runtime).cpu()
    tables.append(assess_unlabelled(inputs, probe))
    write_whole(out, pd.concat(tables).round(DECIMALS).to_csv(index=False))


if __name__ == "__main__":
    run_command(main)
