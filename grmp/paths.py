"""Where scoring checkpoints and unfinished work lie unless a command is told otherwise; below the study's folder."""

from pathlib import Path

CHECKPOINTS = Path("artifacts/checkpoints")
STUDY = CHECKPOINTS / "grmp.safetensors"
"""The study's own: the full recipe on all labels of the generated target."""
FITTED = CHECKPOINTS / "fitted.safetensors"
"""What `grmp fit` writes."""
UNFINISHED = Path("artifacts/unfinished")
"""What an interrupted stage has done; removed once DVC has noted the stage as done."""
UNFINISHED_VARIABLE = "GRMP_UNFINISHED"
"""Environment variable with that folder, which `make study` sets; where it is not set, nothing is kept."""
