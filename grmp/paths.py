"""Where scoring checkpoints lie unless a command is told otherwise; relative to the study's folder."""

from pathlib import Path

CHECKPOINTS = Path("artifacts/checkpoints")
STUDY = CHECKPOINTS / "grmp.safetensors"
"""The study's own: the full recipe on all labels of the generated target."""
FITTED = CHECKPOINTS / "fitted.safetensors"
"""What `grmp fit` writes."""
