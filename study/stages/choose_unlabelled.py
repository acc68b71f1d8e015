"""Settings of the scorer without labels, compared on a rated set that no report shows: reports/unlabelled.csv."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from jaxtyping import Float
from torch import Tensor

from grmp.io.files import write_whole
from grmp.metrics import srcc
from study import params
from study.command import run_command
from study.data import manifests, sets
from study.stages.choose import BLOCKS, BOTH, looked_at, own_embedder
from study.stages.unlabelled import IMAGES, learn_unlabelled

CENTRES = ((256, 1, False), ("native", 1, False))
CHOICES = ((8, 9, 10), (7, 8, 9, 10), (7, 8, 9, 10, 11, 12))
PENALTIES = (2e-6, 2e-5, 2e-4, 6e-4, 2e-3, 6e-3, 2e-2, 6e-2)
RESAMPLES = 200


def compare(
    taught: Float[Tensor, "n block e"],
    given: Float[Tensor, " n"],
    rated: Float[Tensor, "m block e"],
    scores: Float[np.ndarray, " m"],
) -> Iterator[dict[str, object]]:
    """SRCC on rated images, with its bootstrap standard error, for all choices of blocks and penalty.

    Args:
        taught: embeddings of distorted images behind `BLOCKS`.
        given: their scores.
        rated: embeddings of rated images.
        scores: theirs.
    """
    for blocks in CHOICES:
        places = [BLOCKS.index(block) for block in blocks]
        for penalty in PENALTIES:
            probe = learn_unlabelled(taught[:, places], given, blocks, penalty)
            predicted = (rated[:, places].flatten(1) @ probe.weight.flatten()).numpy()
            row = {"blocks": " ".join(map(str, blocks)), "penalty": penalty, "images": len(scores)}
            yield row | {"srcc": srcc(predicted, scores), "srcc_error": _error(predicted, scores)}


def _error(predicted: Float[np.ndarray, " m"], scores: Float[np.ndarray, " m"]) -> float:
    draw = np.random.default_rng(0)
    rows = draw.integers(0, len(scores), (RESAMPLES, len(scores)))
    return float(np.std([srcc(predicted[row], scores[row]) for row in rows], ddof=1))


def main(
    rated: Annotated[Path, typer.Argument(help="folder of a rated set with scores.csv, scores in 0 to 1")],
    out: Annotated[Path, typer.Option(help="the table")] = Path("../reports/unlabelled.csv"),
    folder: Annotated[Path, typer.Option(help="keeps the embeddings")] = Path("artifacts/development"),
    images: Annotated[int, typer.Option(help="rated images that are looked at")] = 800,
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Compare towers, blocks and penalties without a label; needs what `dvc repro pretrain` makes."""
    embedder, table = own_embedder(params.load(params_path), folder), looked_at(rated, images)
    manifest = manifests.sample(manifests.read_manifest(sets.GENERATED), IMAGES)
    pictures, teaching = list(sets.read_images(rated, table)), list(sets.read_images(sets.GENERATED, manifest))
    scores, rows = table["score"].to_numpy(np.float32), []
    for prompted, tower in ((False, "untouched"), (True, "with prompts")):
        seen = embedder.average("rated", pictures, BOTH, prompted)
        taught = embedder.average("tasks", teaching, CENTRES, prompted)
        rows += [{"tower": tower} | row for row in compare(taught, sets.scores(manifest), seen, scores)]
    found = pd.DataFrame(rows)
    write_whole(out, found.to_csv(index=False, float_format="%.4g"))
    best = found.loc[found.groupby(["tower", "blocks"])["srcc"].idxmax()]
    typer.echo(best.to_string(index=False))


if __name__ == "__main__":
    run_command(main)
