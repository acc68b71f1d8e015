"""What one setting is worth: a variant (full unless named) once more with a few keys changed, all else being equal.

A choice is an entry of params.yaml's section `choices`. What comes before the first change is taken from the study.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from jaxtyping import UInt8
from torch import Tensor

from grmp.errors import UserError
from grmp.features import Features
from grmp.io import backbone, prior_file
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import PromptedCLIP, unprompted
from grmp.runtime import start
from study import params
from study.command import run_command
from study.data import sets
from study.data.tasks import read_tasks
from study.params import Params
from study.running.kept import REPEATS
from study.running.notebook import run_notebook
from study.stages.cells import Cell, run_cell, write_cell
from study.stages.features import compute_features, load, read_crops
from study.stages.inputs import Inputs
from study.stages.pretraining import learn_prior
from study.variants import VARIANTS, Variant

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
GENERATED = "artifacts/distorted/pretrain"
"""The study's own set as `pretrain.source` names it; any other is somebody's, and is not made anew."""


def run_choice(base: Params, name: str, folder: Path, own: Folders) -> Cell:
    """All repeats of the choice `name` at the sweep's number of labels.

    Args:
        base: the study's own settings.
        name: a key of its section `choices`.
        folder: gets what stages leave that run anew.
        own: where the study's own stages left their results.

    Raises:
        UserError: an unknown choice.
    """
    if name not in base.choices:
        raise UserError(f"params.yaml: choices: has no {name} (known: {', '.join(base.choices) or 'none'})")
    settings, variant = base.changed(base.choices[name])
    made = _run_stages(base, settings, VARIANTS[variant], folder, own)
    inputs = _inputs(base, settings, variant, own, made)
    return run_cell(inputs, variant, settings.sweep.labels, settings.qgr, REPEATS, f"choice {name}")


def _run_stages(base: Params, settings: Params, variant: Variant, folder: Path, own: Folders) -> Folders:
    """Where the choice's weights, prompts and prior are: the study's, or new ones in `folder` after a change."""

    def changed(*sections: str) -> bool:
        return any(getattr(settings, section) != getattr(base, section) for section in sections)

    def run(name: str, sections: tuple[str, ...], **files: Any) -> None:
        tree = settings.model_dump(mode="json", include={"compute", *sections})
        run_notebook(NOTEBOOKS / f"{name}.ipynb", folder / f"{name}.ipynb", tree | files, html=False)

    made = own
    if changed("align"):
        made = replace(made, clip=folder / "clip.safetensors")
        run("00_backbone", ("photos", "backbone", "align"), weights=str(made.clip), reports=str(folder))
    if variant.mpp and changed("distort") and settings.pretrain.source == GENERATED:
        run("01_distort", ("photos", "distort"), target=str(folder / "distorted"), reports=str(folder))
        pretrain = settings.pretrain.model_copy(update={"source": str(folder / "distorted/pretrain")})
        settings = settings.model_copy(update={"pretrain": pretrain})
    if variant.mpp and changed("align", "distort", "image", "prompts", "pretrain"):
        made = replace(made, prompts=folder / "prompts.safetensors", prior=folder / "prior.safetensors")
        files = {"weights": made.clip, "target": made.prompts, "prior": made.prior, "reports": folder}
        blocks = {"probe_blocks": list(settings.finetune.probe_blocks)}
        run(
            "02_pretrain", ("image", "prompts", "pretrain"), **{key: str(path) for key, path in files.items()}, **blocks
        )
    elif variant.mpp and variant.probe and settings.finetune.probe_blocks != base.finetune.probe_blocks:
        made = replace(made, prior=folder / "prior.safetensors")
        _learn_prior(made, settings)
    return made


def _learn_prior(made: Folders, settings: Params) -> None:
    runtime, blocks = start(settings.compute), settings.finetune.probe_blocks
    model = load_prompts(made.prompts, backbone.load(made.clip, settings.image.crop), settings.prompts)
    tasks = read_tasks(settings.pretrain, settings.compute.seed)
    prior = learn_prior(model, tasks, blocks, settings.image, runtime)
    prior_file.save(made.prior, prior, model, blocks)


def _inputs(base: Params, settings: Params, variant: str, own: Folders, made: Folders) -> Inputs:
    runtime = start(settings.compute)
    clip = backbone.load(made.clip, settings.image.crop)
    manifest = sets.read_manifest(own.target)

    @cache
    def crops() -> UInt8[Tensor, "n view 3 s s"]:
        return read_crops(settings, own.target, Path(settings.target.folder))

    def find(model: PromptedCLIP, name: str, same: bool) -> Features:
        if same:
            return load(own.features / f"{name}.safetensors")
        return compute_features(model, crops(), settings, runtime, f"{name} features")

    cut = _cut(settings) == _cut(base) and made.clip == own.clip
    bare, mpp = unprompted(clip, settings.prompts), VARIANTS[variant].mpp
    model = load_prompts(made.prompts, clip, settings.prompts) if mpp else bare
    plain, informed = find(bare, "plain", cut), mpp and VARIANTS[variant].probe
    return Inputs(
        plain=plain,
        meta=find(model, "meta", cut and made.prompts == own.prompts) if mpp else plain,
        scores=sets.scores(manifest),
        folds=sets.folds(manifest, settings.grid.repeats),
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune,
        seed=settings.compute.seed,
        runtime=runtime,
        prior=prior_file.load(made.prior, model, settings.finetune.probe_blocks) if informed else None,
    )


def _cut(settings: Params) -> tuple[Any, ...]:
    """What the crops of rated images, and the tokens that are kept of them, depend on."""
    return settings.image, settings.target.fit, settings.finetune.blocks, settings.finetune.probe_blocks


def main(
    name: Annotated[str, typer.Argument(help="a key of params.yaml's section choices")],
    out: Annotated[Path, typer.Argument(help="folder that gets results.csv, steps.csv and predictions.csv")],
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Run the full variant with the keys that choice NAME changes, at the sweep's number of labels."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; choices are of studies of human-rated sets")
    cell = run_choice(settings, name, out, Folders(target=target))
    write_cell(out, cell)
    typer.echo(f"{name}: median SRCC {cell.results['srcc'].median():.3f}")


if __name__ == "__main__":
    run_command(main)
