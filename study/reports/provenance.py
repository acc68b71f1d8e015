"""What made a report: sources, parameters, machine, versions; the table at the foot of every notebook.

Neither the commit nor the time it took: the same study made again has the same bytes. `git log` tells which commit
brought a report, and the runner prints durations.
"""

import platform
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
from pandas.io.formats.style import Styler

from grmp.io.plain import compact
from study.running.sources import digest_of

PACKAGES = ("torch", "open_clip_torch", "numpy", "pandas", "scipy", "dvc", "papermill")


def provenance(notebook: str, sections: dict[str, dict], backbone: str, device: str, precision: str) -> Styler:
    """A two-column table of everything that a reader needs to make this report again.

    Holds no absolute path and no host name. The frame itself, with columns `what` and `value`, is the result's `.data`.

    Args:
        notebook: the report's, such as 04_ablation; the digest is of the sources that run for it.
        sections: the sections of params.yaml that the notebook was given, under their names.
        backbone: which CLIP, in words.
        device: what computed, as `study.reports.device.device_name` calls it.
        precision: such as fp32 or bf16.
    """
    rows = {
        "grmp": f"{_version('grmp')}, sources {digest_of(notebook)[:12]}",
        **{f"params: {name}": compact(values) for name, values in sections.items()},
        "backbone": backbone,
        "device": device,
        "precision": precision,
        "versions": ", ".join([f"python {platform.python_version()}", *(f"{p} {_version(p)}" for p in PACKAGES)]),
    }
    frame = pd.DataFrame(rows.items(), columns=["what", "value"])
    # A fixed id, as the random one would change the notebook's bytes.
    left = {"selector": "th, td", "props": "text-align: left"}
    return Styler(frame, uuid="provenance", cell_ids=False).hide(axis="index").set_table_styles([left])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
