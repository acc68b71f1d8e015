"""The variants of the study, by their names in params.yaml."""

from grmp.errors import UserError
from study.variant import Variant

VARIANTS = {
    "full": Variant(),
    "without_mpp": Variant(mpp=False),
    "without_qgr": Variant(qgr=False),
    "without_both": Variant(mpp=False, qgr=False),
    "ridge": Variant(mpp=False, qgr=False, tuned=False),
    "probe": Variant(mpp=False, qgr=False, tuned=False, probe=True),
    "full_probe": Variant(probe=True),
    "without_mpp_probe": Variant(mpp=False, probe=True),
}


def find_variant(name: str) -> Variant:
    """The variant of that name.

    Raises:
        UserError: there is none.
    """
    if name not in VARIANTS:
        raise UserError(f"params.yaml: {name!r} is no variant; known are {', '.join(VARIANTS)} (study/variants.py)")
    return VARIANTS[name]
