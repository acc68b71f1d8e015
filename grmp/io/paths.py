"""Default paths of the study's files, relative to its folder."""

from dataclasses import dataclass
from pathlib import Path

CHECKPOINTS = Path("artifacts/checkpoints")
STUDY = CHECKPOINTS / "grmp.safetensors"
"""The study's own scorer: the full recipe on all labels of the generated target."""
FITTED = CHECKPOINTS / "fitted.safetensors"
"""What `grmp fit` writes."""


@dataclass(frozen=True)
class Folders:
    """Files of earlier stages from which fine-tuning starts."""

    clip: Path = Path("artifacts/weights/clip.safetensors")
    prompts: Path = Path("artifacts/prompts/prompts.safetensors")
    features: Path = Path("artifacts/features")
    target: Path = Path("artifacts/distorted/target")
    prior: Path = Path("artifacts/prompts/prior.safetensors")
    scorer: Path = STUDY
