"""What a variant of the method is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One way to learn from few labels; how it looks in figures stands in `study.reports.looks`.

    Args:
        mpp: starts from the meta-trained prompts, and a probe has the prior that their images taught; else there are no
            image prompts, and the text context is random.
        qgr: regularises its gradients.
        rule: keys of params.yaml's section `qgr` that it sets for itself.
        tuned: is fine-tuned; else it is a ridge regression on frozen embeddings.
        probe: has regressions on the class token in the middle of the tower (`grmp.probe`): averaged in, by their
            share, where it is tuned, else in the place of the last block's.
    """

    mpp: bool = True
    qgr: bool = True
    rule: Mapping[str, Any] = field(default_factory=dict)
    tuned: bool = True
    probe: bool = False
