"""A reproducible study of GRMP-IQA (arXiv 2409.05381): CLIP adapted to blind image quality assessment.

Data flows one way: photos -> distortions -> labels -> (align, meta, finetune) -> metrics -> report. The model knows
nothing of data, learning knows nothing of files, and only the notebooks touch both.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grmp.scoring.scorer_file import load as load

# OpenMP's threads spin while they wait for one another. Where another process takes one core, that makes small matrix
# products five times slower (measured on two cores); read once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def __getattr__(name: str) -> Any:
    """`grmp.load`, found where it is first asked for: torch takes seconds to import."""
    if name == "load":
        from grmp.scoring.scorer_file import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
