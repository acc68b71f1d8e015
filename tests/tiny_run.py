"""Every computation of the study once, tiny and in one process: what it leaves, as bytes by name."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from conftest import CONFIG, ROOT, SMALL
from PIL import Image

from grmp.crops import even_crops
from grmp.errors import in_one_line
from grmp.features import frozen_features
from grmp.io import backbone
from grmp.io.decode import read_image
from grmp.io.prompts_file import save_prompts
from grmp.model import PromptedCLIP, prompted
from grmp.pretrain import pretrain
from grmp.runtime import Runtime, Stream, generator, start
from grmp.settings import Compute
from study.data import generate, manifests, photos, sets
from study.data.labels import similarity
from study.data.pixels import resize_image
from study.data.sets import Fold
from study.data.tasks import make_pools
from study.params import Params, load
from study.stages import cells, features
from study.stages.inputs import Inputs

SHORT_SIDE, CROP, BLOCK = 64, 48, 1


def settings_for(seed: int, threads: int, device: str) -> Params:
    """Small settings."""
    params, small = load(ROOT / "params.yaml"), {**SMALL, "compute": {**SMALL["compute"]}}
    small["compute"] |= {"seed": seed, "threads": threads, "device": device}
    return params.model_copy(update={name: getattr(params, name).model_copy(update=new) for name, new in small.items()})


def run(folder: Path, photographs: Path, seed: int = 1, threads: int = 1, device: str = "cpu") -> dict[str, bytes]:
    """Distort, pre-train, keep features, and run two cells; `folder` gets every file that is left."""
    settings = settings_for(seed, threads, device)
    runtime = start(settings.compute)
    manifest = _distort(folder / "set", photographs, settings.compute)
    images = list(sets.read_images(folder / "set", manifest))
    torch.manual_seed(seed)
    clip = backbone.build(CONFIG).eval().requires_grad_(False)
    model = prompted(clip, settings.prompts).to(runtime.device)
    losses = _pretrain(model, images, manifest, settings, runtime)
    losses.to_csv(folder / "losses.csv", index=False)
    save_prompts(folder / "prompts.safetensors", model)
    study = _study(clip, model, images, manifest, settings, runtime)
    features.save(folder / "features.safetensors", study.meta)
    for variant in ("full", "ridge"):
        cells.write_cell(folder / variant, cells.run_cell(study, variant, 6, settings.qgr))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _distort(folder: Path, photographs: Path, compute: Compute) -> pd.DataFrame:
    (folder / "images").mkdir(parents=True)
    chosen = photos.read_manifest(photographs)[:6]
    recipes = [one for one in generate.single_recipes(chosen, 1, compute.seed) if one.steps[0][0] in (1, 4, 10, 11)]
    rows = []
    for recipe in recipes:
        photograph = read_image(recipe.photograph.path)
        image = generate.render(recipe, photograph)
        Image.fromarray(resize_image(image, SHORT_SIDE)).save(folder / "images" / recipe.name, quality=95)
        score = similarity(photograph, image)
        kind = str(recipe.steps[0][0])
        rows.append((f"images/{recipe.name}", score, recipe.photograph.name, kind, "1", recipe.photograph.scene))
    columns = ["image", "score", "photograph", "distortions", "levels", "scene"]
    manifest = pd.DataFrame(rows, columns=columns)
    manifests.write_manifest(folder, manifest)
    return manifests.read_manifest(folder)


def _pretrain(
    model: PromptedCLIP, images: list[torch.Tensor], manifest: pd.DataFrame, settings: Params, runtime: Runtime
) -> pd.DataFrame:
    pools = make_pools(manifest, set(manifest["photograph"].unique()[:2]))
    draws = generator(settings.compute.seed, Stream.TASKS)
    return pretrain(model, images, sets.scores(manifest), pools, settings.pretrain, settings.image, runtime, draws)


def _study(
    clip: backbone.CLIP,
    model: PromptedCLIP,
    images: list[torch.Tensor],
    manifest: pd.DataFrame,
    settings: Params,
    runtime: Runtime,
) -> Inputs:
    crops = torch.stack([even_crops(image, CROP, 2) for image in images])
    plain = prompted(clip, settings.prompts.model_copy(update={"image_tokens": 0})).eval().to(runtime.device)
    pool = np.arange(len(images)) % 2 == 0
    fold = Fold(*(torch.from_numpy(np.flatnonzero(part)) for part in (pool, ~pool)))
    return Inputs(
        plain=frozen_features(plain, crops, BLOCK, runtime, "plain"),
        meta=frozen_features(model.eval(), crops, BLOCK, runtime, "meta"),
        scores=sets.scores(manifest),
        folds=[fold, fold],
        clip=clip,
        pretrained=model,
        prompts=settings.prompts,
        finetune=settings.finetune,
        seed=settings.compute.seed,
        runtime=runtime,
    )


if __name__ == "__main__":
    with in_one_line():
        run(Path(sys.argv[1]), Path(sys.argv[2]))
