"""The published protocol as a measurement: how much of a published number with few labels is selection.

The protocol looks at the test part hundreds of times, and reports the best look. What that makes of a number stands in
this module's tables alone, beside the honest number of the same run.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from open_clip import CLIP

from grmp.finetune import Outcome
from grmp.io import backbone
from grmp.io.files import write_whole
from grmp.io.identity import describe
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.metrics import DECIMALS, plcc, srcc
from grmp.model import PromptedCLIP, unprompted
from grmp.runtime import Runtime, start
from study.command import run_command
from study.data import manifests, sets
from study.data.ratings import rated_manifest
from study.params import Params, label_count
from study.preset import load_preset, parse_changes
from study.reports.markdown import copy_table
from study.running.engine import export_to_env
from study.running.kept import REPEATS
from study.stages.features import compute_features, read_crops
from study.stages.fresh_crops import squash_aliased
from study.stages.inputs import Inputs, gather
from study.stages.plateau import agreement
from study.stages.tuning import tune_all
from study.variants import VARIANTS

FULL = VARIANTS["full"]
HEAD = """# The published protocol, measured

Medians over {repeats} splits of {title}; backbone {backbone}; {device}, {precision}. Only *last step* is honest: its
runs have a fixed number of steps at a fixed rate, and no test label took part. *Best look* is of the same runs: the
greatest SRCC + PLCC of all looks at the test part. *Plateau* is of runs with the same draws whose rate and end the test
part decides as well, and which report their best look: the published protocol.
"""


def prepare(settings: Params, clip: CLIP, model: PromptedCLIP, runtime: Runtime, folder: Path) -> Inputs:
    """What fine-tuning starts from; `folder` gets the target's manifest.

    With fresh crops, test images are seen as centre crops of the same squares.

    Raises:
        UserError: as `rated_manifest`, or an image cannot be read.
    """
    manifest, images = rated_manifest(settings.target, settings.grid.repeats, settings.compute.seed), None
    folder.mkdir(parents=True, exist_ok=True)
    manifests.write_manifest(folder, manifest)
    place = Path(settings.target.folder)
    if settings.finetune.crops == "batch":
        squares = (squash_aliased(image, settings.finetune.side) for image in sets.full_images(place, manifest))
        images = torch.stack(list(squares))
        edge = (settings.finetune.side - settings.image.crop) // 2
        crops = images[:, None, :, edge : edge + settings.image.crop, edge : edge + settings.image.crop]
    else:
        crops = read_crops(settings, folder, place)
    meta = compute_features(model, crops, settings, runtime, "features")
    bare = unprompted(clip, settings.prompts)
    return gather(
        manifest,
        settings.grid.repeats,
        plain=meta if images is not None else compute_features(bare, crops, settings, runtime, "plain features"),
        meta=meta,
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune,
        seed=settings.compute.seed,
        runtime=runtime,
        whole=images,
        crop=settings.image.crop,
    )


def measure(settings: Params, inputs: Inputs, kept: Path | None = None) -> pd.DataFrame:
    """One row per number of labels and split, of two runs with the same draws.

    Of the run that nothing steers: srcc and plcc at its last step (honest), srcc_best and plcc_best of the best of its
    `looks`. Of the run that the test part steers: srcc_plateau and plcc_plateau of the best of its `looks_plateau`.

    Raises:
        UserError: as `tune_all`, or more labels than a split's pool has.
    """
    tables = []
    for labels in settings.grid.labels:
        counts = [label_count(labels, len(fold.train)) for fold in inputs.folds]
        runs = {}
        for protocol in ("fixed", "published"):
            rule = settings.finetune.model_copy(update={"protocol": protocol})
            given = replace(inputs, finetune=rule, steered=protocol == "published")
            runs[protocol] = tune_all(given, FULL, counts, settings.qgr, kept, f"{protocol} protocol @ {labels}")
        pairs = zip(counts, inputs.folds, runs["fixed"], runs["published"])
        for repeat, (count, fold, fixed, steered) in enumerate(pairs, 1):
            key = {"labels": labels, "count": count, "repeat": repeat}
            tables.append(key | compare(fixed, steered, inputs.scores[fold.test]))
    return pd.DataFrame(tables)


def compare(fixed: Outcome, steered: Outcome, truth: torch.Tensor) -> dict[str, float]:
    """The numbers of a run that nothing steers, and of one that the test part's scores, `truth`, steer."""
    true, last = truth.numpy(), fixed.predictions[-1].numpy()
    row = {"srcc": round(srcc(last, true), DECIMALS), "plcc": round(plcc(last, true), DECIMALS)}
    for outcome, looks, suffix in ((fixed, "looks", "best"), (steered, "looks_plateau", "plateau")):
        best = max(outcome.predictions, key=lambda look: agreement(look, true)).numpy()
        row |= {looks: len(outcome.predictions)}
        row |= {f"{metric.__name__}_{suffix}": round(metric(best, true), DECIMALS) for metric in (srcc, plcc)}
    return row


def summary(results: pd.DataFrame, settings: Params, made_by: str, runtime: Runtime) -> str:
    """The one page with numbers of the published protocol, as Markdown: medians over splits, with the looks named."""
    medians = results.groupby("labels", sort=False).median().drop(columns="repeat").reset_index()
    medians = medians.astype(dict.fromkeys(("count", "looks", "looks_plateau"), int))
    about = {"repeats": settings.grid.repeats, "title": settings.target.title, "backbone": made_by}
    head = HEAD.format(**about, device=runtime.device.type, precision=runtime.precision)
    words = {"srcc": "SRCC, last step", "plcc": "PLCC, last step", "looks_plateau": "plateau: looks"}
    words |= {f"{metric}_best": f"{metric.upper()}, best look" for metric in ("srcc", "plcc")}
    words |= {f"{metric}_plateau": f"{metric.upper()}, plateau" for metric in ("srcc", "plcc")}
    return f"{head}\n{copy_table(medians.rename(columns=words))}\n"


def write(out: Path, results: pd.DataFrame, settings: Params, made_by: str, runtime: Runtime) -> None:
    """Write results.csv and the page README.md to `out`, and show the page."""
    page = summary(results, settings, made_by, runtime)
    write_whole(out / "results.csv", results.to_csv(index=False))
    write_whole(out / "README.md", page)
    typer.echo(page)


def main(
    target: Annotated[Path, typer.Argument(help="folder of the rated set, as human/README.md lays it out")],
    out: Annotated[Path, typer.Option(help="folder that gets results.csv and README.md")] = Path("reports/protocol"),
    work: Annotated[Path, typer.Option(help="folder for the manifest")] = Path("artifacts/protocol"),
    base: Annotated[Path, typer.Option("--params", help="the params file that the preset changes")] = Path(
        "human/params.yaml"
    ),
    preset: Annotated[Path, typer.Option(help="the preset")] = Path("human/protocol.yaml"),
    change: Annotated[list[str] | None, typer.Option("--set", help="section.key=value, after the preset")] = None,
) -> None:
    """Measure the published protocol on splits of TARGET, from the prompts that `make study` pre-trained."""
    places = {"target.folder": str(target), "target.splits": str(target / "splits")}
    settings = load_preset(base, preset, places | parse_changes(change or []))
    export_to_env(settings.compute)
    runtime = start(settings.compute)
    clip = backbone.load(Folders.clip, settings.image.crop)
    model = load_prompts(Folders.prompts, clip, settings.prompts)
    results = measure(settings, prepare(settings, clip, model, runtime, work), REPEATS)
    write(out, results, settings, describe(Folders.clip), runtime)


if __name__ == "__main__":
    run_command(main)
