"""What one setting is worth: the study's full variant once more with a few keys changed, all else being equal.

A choice is an entry of params.yaml's section `choices`. What comes before the first change is taken from the study.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from grmp import backbone, features, params, sets
from grmp.cells import Cell, Folders, Study, run_cell, write_cell
from grmp.checkpoint import load_prompts
from grmp.errors import UserError, run_command
from grmp.features import Features, target_features
from grmp.model import PromptedCLIP, unprompted
from grmp.notebook import run_notebook
from grmp.params import Params
from grmp.runtime import start
from grmp.variants import VARIANTS


def run_choice(base: Params, name: str, folder: Path, notebook: Path, places: Folders) -> Cell:
    """All repeats of the choice `name` at the sweep's number of labels.

    Args:
        base: the study's own settings.
        name: a key of its section `choices`.
        folder: gets what a new pre-training leaves.
        notebook: the one that pre-trains.
        places: where the study's own stages left their results.

    Raises:
        UserError: an unknown choice.
    """
    if name not in base.choices:
        raise UserError(f"params.yaml: choices: has no {name} (known: {', '.join(base.choices) or 'none'})")
    settings, variant = base.changed(base.choices[name])
    anew = any(getattr(settings, section) != getattr(base, section) for section in ("image", "prompts", "pretrain"))
    prompts = folder / "prompts.safetensors" if anew else places.prompts
    if anew:
        run_notebook(notebook, folder / notebook.name, _pretraining(settings, places, folder, prompts), html=False)
    study = _study(base, settings, variant, places, prompts)
    return run_cell(study, variant, settings.sweep.labels, settings.qgr)


def _pretraining(settings: Params, places: Folders, folder: Path, prompts: Path) -> dict[str, Any]:
    tree = settings.model_dump(mode="json")
    files = {"weights": places.clip, "target": prompts, "reports": folder}
    sections = {name: tree[name] for name in ("compute", "image", "prompts", "pretrain")}
    return sections | {name: str(path) for name, path in files.items()} | {"short_side": settings.distort.short_side}


def _study(base: Params, settings: Params, variant: str, places: Folders, prompts: Path) -> Study:
    runtime = start(settings.compute)
    clip = backbone.load(places.clip, settings.image.crop)
    model = load_prompts(prompts, clip, settings.prompts)
    manifest = sets.read_manifest(places.target)

    def find(model: PromptedCLIP, name: str, same: bool) -> Features:
        if same:
            return features.load(places.features / f"{name}.safetensors")
        model = model.eval().requires_grad_(False).to(runtime.device)
        return target_features(
            model, settings, places.target, Path(settings.target.folder), runtime, f"{name} features"
        )

    cut = _cut(settings) == _cut(base)
    plain = find(unprompted(clip, settings.prompts), "plain", cut)
    mpp = VARIANTS[variant].mpp
    meta = find(model, "meta", cut and prompts == places.prompts) if mpp else plain
    return Study(
        plain=plain,
        meta=meta,
        scores=sets.scores(manifest),
        folds=sets.folds(manifest, settings.grid.repeats),
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune,
        seed=settings.compute.seed,
        runtime=runtime,
    )


def _cut(settings: Params) -> tuple[Any, ...]:
    """What the crops of rated images, and the tokens that are kept of them, depend on."""
    return settings.image, settings.target.fit, settings.finetune.views, settings.finetune.blocks


def main(
    name: Annotated[str, typer.Argument(help="a key of params.yaml's section choices")],
    out: Annotated[Path, typer.Argument(help="folder that gets results.csv, steps.csv and predictions.csv")],
    notebook: Annotated[Path, typer.Option(help="the notebook that pre-trains")] = Path("notebooks/02_pretrain.ipynb"),
    target: Annotated[Path, typer.Option(help="folder with the rated set's manifest.csv")] = Path("artifacts/target"),
    params_path: Annotated[Path, typer.Option("--params", help="the params file")] = Path("params.yaml"),
) -> None:
    """Run the full variant with the keys that choice NAME changes, at the sweep's number of labels."""
    settings = params.load(params_path)
    if settings.target is None:
        raise UserError(f"{params_path}: has no section target; choices are of studies of human-rated sets")
    cell = run_choice(settings, name, out, notebook, Folders(target=target))
    write_cell(out, cell)
    typer.echo(f"{name}: median SRCC {cell.results['srcc'].median():.3f}")


if __name__ == "__main__":
    run_command(main)
