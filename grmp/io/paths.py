"""Where the study leaves its files unless a command is told otherwise; below the study's folder."""

from dataclasses import dataclass
from pathlib import Path

CHECKPOINTS = Path("artifacts/checkpoints")
STUDY = CHECKPOINTS / "grmp.safetensors"
"""The study's own scorer: the full recipe on all labels of the generated target."""
FITTED = CHECKPOINTS / "fitted.safetensors"
"""What `grmp fit` writes."""


@dataclass(frozen=True)
class Folders:
    """Where earlier stages left what fine-tuning starts from."""

    clip: Path = Path("artifacts/weights/clip.safetensors")
    prompts: Path = Path("artifacts/prompts/prompts.safetensors")
    features: Path = Path("artifacts/features")
    target: Path = Path("artifacts/distorted/target")
    prior: Path = Path("artifacts/prompts/prior.safetensors")
    scorer: Path = STUDY
