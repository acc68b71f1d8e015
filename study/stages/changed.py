"""What a study with a few changed keys starts fine-tuning from; what comes before the change is the study's own."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from grmp.features import Features
from grmp.io import backbone, prior_file
from grmp.io.paths import Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import PromptedCLIP, unprompted
from grmp.runtime import start
from study.data import manifests, sets
from study.data.tasks import read_tasks
from study.params import Params
from study.running.notebook import run_notebook
from study.stages.features import compute_features, load, read_crops
from study.stages.inputs import Inputs, gather
from study.stages.pretraining import learn_prior
from study.variant import Variant

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def run_stages(base: Params, settings: Params, variant: Variant, folder: Path, own: Folders) -> Folders:
    """Run anew, in `folder`, the stages that the difference of `settings` to `base` concerns.

    Returns:
        Where weights, prompts and prior then are: the study's own where nothing before them changed.

    Raises:
        UserError: as the notebooks of these stages.
    """

    def changed(*sections: str) -> bool:
        return any(getattr(settings, section) != getattr(base, section) for section in sections)

    def run(name: str, sections: tuple[str, ...], **files: Any) -> None:
        tree = settings.model_dump(mode="json", include={"compute", *sections})
        run_notebook(NOTEBOOKS / f"{name}.ipynb", folder / f"{name}.ipynb", tree | files)

    made = own
    if changed("align"):
        made = replace(made, clip=folder / "clip.safetensors")
        run("00_backbone", ("photos", "backbone", "align"), weights=str(made.clip), reports=str(folder))
    # Any other set is somebody's, and is not made anew.
    generated = settings.pretrain.source == str(sets.GENERATED)
    if variant.mpp and changed("distort") and generated:
        run("01_distort", ("photos", "distort"), target=str(folder / "distorted"), reports=str(folder))
        pretrain = settings.pretrain.model_copy(update={"source": str(folder / "distorted/pretrain")})
        settings = settings.model_copy(update={"pretrain": pretrain})
    if variant.mpp and changed("align", "image", "prompts", "pretrain"):
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


def assemble(base: Params, settings: Params, variant: Variant, own: Folders, made: Folders) -> Inputs:
    """What fine-tuning starts from, after `run_stages`; features that nothing changed are read, others computed.

    Raises:
        UserError: a file of an earlier stage is missing, or an image cannot be read.
    """
    runtime = start(settings.compute)
    clip = backbone.load(made.clip, settings.image.crop)
    manifest = manifests.read_manifest(own.target)

    @cache
    def crops() -> UInt8[Tensor, "n view 3 s s"]:
        return read_crops(settings, own.target, Path(settings.target.folder))

    def find(model: PromptedCLIP, name: str, same: bool) -> Features:
        if same:
            return load(own.features / f"{name}.safetensors")
        return compute_features(model, crops(), settings, runtime, f"{name} features")

    cut = _cut(settings) == _cut(base) and made.clip == own.clip
    bare, mpp = unprompted(clip, settings.prompts), variant.mpp
    model = load_prompts(made.prompts, clip, settings.prompts) if mpp else bare
    plain, informed = find(bare, "plain", cut), mpp and variant.probe
    return gather(
        manifest,
        settings.grid.repeats,
        plain=plain,
        meta=find(model, "meta", cut and made.prompts == own.prompts) if mpp else plain,
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
    tuned = settings.finetune
    return settings.image, settings.target.fit, settings.prompts.pixels, tuned.blocks, tuned.probe_blocks
