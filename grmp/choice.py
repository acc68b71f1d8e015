"""What one setting is worth: a variant (full unless named) once more with a few keys changed, all else being equal.

A choice is an entry of params.yaml's section `choices`. What comes before the first change is taken from the study.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from grmp import backbone, features, params, prior, sets
from grmp.cells import Cell, Folders, Study, run_cell, write_cell
from grmp.checkpoint import load_prompts
from grmp.errors import UserError, run_command
from grmp.features import Features, target_features
from grmp.model import PromptedCLIP, unprompted
from grmp.notebook import run_notebook
from grmp.params import Params
from grmp.runtime import start
from grmp.variants import VARIANTS, Variant

GENERATED = "artifacts/distorted/pretrain"
"""The study's own set as `pretrain.source` names it; any other is somebody's, and is not made anew."""


def run_choice(base: Params, name: str, folder: Path, notebooks: Path, places: Folders) -> Cell:
    """All repeats of the choice `name` at the sweep's number of labels.

    Args:
        base: the study's own settings.
        name: a key of its section `choices`.
        folder: gets what stages leave that run anew.
        notebooks: the folder of those that are these stages.
        places: where the study's own stages left their results.

    Raises:
        UserError: an unknown choice.
    """
    if name not in base.choices:
        raise UserError(f"params.yaml: choices: has no {name} (known: {', '.join(base.choices) or 'none'})")
    settings, variant = base.changed(base.choices[name])
    made = _run_stages(base, settings, VARIANTS[variant], folder, notebooks, places)
    study = _study(base, settings, variant, places, made)
    return run_cell(study, variant, settings.sweep.labels, settings.qgr)


def _run_stages(
    base: Params, settings: Params, variant: Variant, folder: Path, notebooks: Path, places: Folders
) -> Folders:
    """Where the choice's weights, prompts and prior are: the study's, or new ones in `folder` after a change."""

    def changed(*sections: str) -> bool:
        return any(getattr(settings, section) != getattr(base, section) for section in sections)

    def run(name: str, sections: tuple[str, ...], **places: Any) -> None:
        tree = settings.model_dump(mode="json", include={"compute", *sections})
        run_notebook(notebooks / f"{name}.ipynb", folder / f"{name}.ipynb", tree | places, html=False)

    made = places
    if changed("align"):
        made = replace(made, clip=folder / "clip.safetensors")
        run("00_backbone", ("photos", "backbone", "align"), weights=str(made.clip), reports=str(folder))
    if variant.mpp and changed("distort") and settings.pretrain.source == GENERATED:
        run("01_distort", ("photos", "distort"), target=str(folder / "distorted"), reports=str(folder))
        own = settings.pretrain.model_copy(update={"source": str(folder / "distorted/pretrain")})
        settings = settings.model_copy(update={"pretrain": own})
    if variant.mpp and changed("align", "distort", "image", "prompts", "pretrain"):
        made = replace(made, prompts=folder / "prompts.safetensors")
        files = {"weights": str(made.clip), "target": str(made.prompts), "reports": str(folder)}
        run("02_pretrain", ("image", "prompts", "pretrain"), **files, short_side=settings.distort.short_side)
    elsewhere = settings.finetune.probe_blocks != base.finetune.probe_blocks
    if variant.mpp and variant.probe and (elsewhere or made.prompts != places.prompts):
        made = replace(made, prior=folder / "prior.safetensors")
        prior.make(made.prior, made.clip, made.prompts, settings)
    return made


def _study(base: Params, settings: Params, variant: str, places: Folders, made: Folders) -> Study:
    runtime = start(settings.compute)
    clip = backbone.load(made.clip, settings.image.crop)
    manifest = sets.read_manifest(places.target)

    def find(model: PromptedCLIP, name: str, same: bool) -> Features:
        if same:
            return features.load(places.features / f"{name}.safetensors")
        model = model.eval().requires_grad_(False).to(runtime.device)
        return target_features(
            model, settings, places.target, Path(settings.target.folder), runtime, f"{name} features"
        )

    cut = _cut(settings) == _cut(base) and made.clip == places.clip
    bare, mpp = unprompted(clip, settings.prompts), VARIANTS[variant].mpp
    model = load_prompts(made.prompts, clip, settings.prompts) if mpp else bare
    plain, informed = find(bare, "plain", cut), mpp and VARIANTS[variant].probe
    return Study(
        plain=plain,
        meta=find(model, "meta", cut and made.prompts == places.prompts) if mpp else plain,
        scores=sets.scores(manifest),
        folds=sets.folds(manifest, settings.grid.repeats),
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune,
        seed=settings.compute.seed,
        runtime=runtime,
        prior=prior.load(made.prior, model, settings.finetune.probe_blocks) if informed else None,
    )


def _cut(settings: Params) -> tuple[Any, ...]:
    """What the crops of rated images, and the tokens that are kept of them, depend on."""
    cut = settings.target.fit, settings.finetune.views, settings.finetune.blocks, settings.finetune.probe_blocks
    return settings.image, settings.distort.short_side, *cut


def main(
    name: Annotated[str, typer.Argument(help="a key of params.yaml's section choices")],
    out: Annotated[Path, typer.Argument(help="folder that gets results.csv, steps.csv and predictions.csv")],
    notebooks: Annotated[Path, typer.Option(help="folder of the notebooks that earlier stages are")] = Path(
        "notebooks"
    ),
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Run the full variant with the keys that choice NAME changes, at the sweep's number of labels."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; choices are of studies of human-rated sets")
    cell = run_choice(settings, name, out, notebooks, Folders(target=target))
    write_cell(out, cell)
    typer.echo(f"{name}: median SRCC {cell.results['srcc'].median():.3f}")


if __name__ == "__main__":
    run_command(main)
