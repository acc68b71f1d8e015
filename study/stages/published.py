"""The published recipe, measured by the published protocol: `make published`."""

from pathlib import Path
from typing import Annotated

import typer
from open_clip import CLIP

from grmp.io import backbone
from grmp.io.identity import describe, identify
from grmp.io.paths import Folders
from grmp.io.prompts_file import save_prompts
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime, start
from study.command import run_command
from study.data.backbones import obtain
from study.data.tasks import read_tasks
from study.params import Params
from study.preset import load_preset, parse_changes
from study.running.engine import export_to_env
from study.running.kept import REPEATS
from study.stages.pretraining import pretrain_prompts
from study.stages.protocol import measure, prepare, write


def find_weights(settings: Params, work: Path) -> Path:
    """CLIP as the settings name it, obtained once; `embedded` is what `dvc repro backbone` made, with its text tower.

    Raises:
        UserError: as `obtain`.
    """
    if settings.backbone.source == "embedded":
        return Folders.clip
    weights = work / "clip.safetensors"
    if not weights.is_file() or identify(weights)[1] != settings.backbone:
        clip, config = obtain(settings.backbone, settings.align)
        backbone.save(weights, clip, config, settings.backbone)
    return weights


def pretrain_published(settings: Params, clip: CLIP, runtime: Runtime) -> PromptedCLIP:
    """Prompts after the pre-training of `settings`, on the sets that `pretrain.source` names.

    Raises:
        UserError: as `read_tasks` and `pretrain_prompts`.
    """
    seed = settings.compute.seed
    tasks = read_tasks(settings.pretrain, seed)
    return pretrain_prompts(clip, tasks, settings.pretrain, settings.prompts, settings.image, runtime, seed).model


def main(
    tid: Annotated[Path, typer.Argument(help="folder of TID2013, or any other set to pre-train on")],
    kadid: Annotated[Path, typer.Argument(help="folder of KADID-10k, or any other set to pre-train on")],
    target: Annotated[Path, typer.Argument(help="folder of the rated set: LIVEC, or as target.name says")],
    out: Annotated[Path, typer.Option(help="folder that gets results.csv and README.md")] = Path(
        "../reports/published"
    ),
    work: Annotated[Path, typer.Option(help="folder for weights, prompts and manifest")] = Path("artifacts/published"),
    base: Annotated[Path, typer.Option("--params", help="the params file that the preset changes")] = Path(
        "params.yaml"
    ),
    preset: Annotated[Path, typer.Option(help="the preset")] = Path("published.yaml"),
    change: Annotated[list[str] | None, typer.Option("--set", help="section.key=value, after the preset")] = None,
) -> None:
    """Pre-train on TID and KADID, fine-tune on splits of TARGET; the published protocol beside an honest one."""
    places = {"pretrain.source": [str(tid), str(kadid)], "target.folder": str(target)}
    settings = load_preset(base, preset, places | parse_changes(change or []))
    export_to_env(settings.compute)
    runtime, weights = start(settings.compute), find_weights(settings, work)
    clip = backbone.load(weights, settings.image.crop)
    model = pretrain_published(settings, clip, runtime)
    save_prompts(work / "prompts.safetensors", model)
    results = measure(settings, prepare(settings, clip, model, runtime, work / "target"), REPEATS)
    write(out, results, settings, describe(weights), runtime)


if __name__ == "__main__":
    run_command(main)
