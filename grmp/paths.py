"""Where scoring checkpoints lie unless a command is told otherwise; relative to the study's folder."""

from pathlib import Path

STUDY = Path("artifacts/checkpoints/grmp.safetensors")
"""The study's own: the full recipe on all labels of the generated target."""
FITTED = Path("artifacts/checkpoints/fitted.safetensors")
"""What `grmp fit` writes."""
