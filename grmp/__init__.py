"""A reproducible study of GRMP-IQA (arXiv 2409.05381): CLIP adapted to blind image quality assessment.

Data flows one way: photos -> distortions -> labels -> (align, meta, finetune) -> metrics -> report. The model knows
nothing of data, learning knows nothing of files, and only the notebooks touch both.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grmp.scoring.scorer_file import load as load

# OpenMP's threads spin while they wait for one another. On two cores, of which another process takes one, fine-tuning
# then takes twice as long; without any spinning it takes 1.4 times as long where nobody else computes. So they spin a
# little. Read once, when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def __getattr__(name: str) -> Any:
    """`grmp.load`, found where it is first asked for: torch takes seconds to import."""
    if name == "load":
        from grmp.scoring.scorer_file import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
