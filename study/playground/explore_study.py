"""What a finished study leaves for the playground: photographs, models, the labelled pool."""

from functools import lru_cache, partial
from pathlib import Path

import torch
from open_clip import CLIP
from torch.nn import functional as F

from grmp.errors import UserError
from grmp.io import backbone
from grmp.io.decode import read_image
from grmp.io.paths import CHECKPOINTS, Folders
from grmp.io.prompts_file import load_prompts
from grmp.model import PromptedCLIP, prompted
from grmp.runtime import Runtime, Stream, generator, start
from grmp.scoring import scorer_file
from study import params
from study.data import manifests, sets
from study.data.labels import LabelMap
from study.data.photos import Photograph, read_manifest, split
from study.playground.explore import PRETRAINED, Explorer, Labelled, Models
from study.stages import features

FRESH = "fresh prompts"
LABEL_MAP = Path("artifacts/distorted/label_map.json")


def read_explorer() -> Explorer:
    """Everything that the study left for the playground; models are read when they are asked for.

    Raises:
        UserError: what an earlier stage makes is missing, truncated or of other sizes.
    """
    settings, folders = params.load(), Folders()
    runtime = start(settings.compute)
    clip = backbone.load(folders.clip, settings.image.crop).to(runtime.device)
    photographs = {title: read_image(photo.path) for title, photo in titled(settings).items()}
    return Explorer(
        photographs,
        find_models(clip, folders.prompts, settings, runtime),
        read_labelled(folders),
        LabelMap.load(LABEL_MAP),
        settings.image,
        runtime,
    )


def titled(settings: params.Params) -> dict[str, Photograph]:
    """The photographs by what readers see of them, such as `animal: dachshund (test)`, the test part first."""
    parts = split(read_manifest(Path(settings.photos.folder)), settings.photos, settings.compute.seed)
    return {
        f"{photo.scene}: {photo.name.replace('_', ' ')} ({part})": photo
        for part in ("test", "train", "pretrain")
        for photo in parts[part]
    }


def read_labelled(folders: Folders) -> Labelled:
    """The target's labelled pool; an image's embedding is the mean over its crops.

    Raises:
        UserError: the manifest or the features are missing, or of different studies.
    """
    manifest = manifests.read_manifest(folders.target)
    path = folders.features / "meta.safetensors"
    seen = features.load(path)
    embeddings = seen.average(seen.embeddings).float()
    if len(embeddings) != len(manifest):
        raise UserError(f"{path}: {len(embeddings)} images, but the target has {len(manifest)}; `dvc repro` mends it")
    pool = sets.folds(manifest, 1)[0].train
    labelled = manifest.iloc[pool.tolist()].reset_index(drop=True)
    return Labelled(folders.target, labelled, F.normalize(embeddings[pool], dim=-1))


def find_models(clip: CLIP, prompts: Path, settings: params.Params, runtime: Runtime) -> Models:
    """The pre-trained prompts, the ones they started from, and every checkpoint there is.

    Raises:
        UserError: the pre-trained prompts are missing, truncated or of other sizes.
    """
    torch.manual_seed(
        int(generator(settings.compute.seed, Stream.FRESH_PROMPTS).initial_seed()) % 2**31
    )  # as pre-training does
    fresh, trained = prompted(clip, settings.prompts), load_prompts(prompts, clip, settings.prompts)
    ready = {PRETRAINED: trained, FRESH: fresh}
    models: Models = {name: partial(_ready, model, runtime) for name, model in ready.items()}
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        models[path.stem] = partial(_checkpoint, path, runtime)
    return models


def _ready(model: PromptedCLIP, runtime: Runtime) -> PromptedCLIP:
    return model.eval().requires_grad_(False).to(runtime.device)


@lru_cache(maxsize=2)  # each may hold a whole CLIP; two are enough to compare
def _checkpoint(path: Path, runtime: Runtime) -> PromptedCLIP:
    return _ready(scorer_file.load(path).model, runtime)
