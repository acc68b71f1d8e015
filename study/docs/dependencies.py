"""The source dependencies of every DVC stage, from their imports.

`python -m study.docs.dependencies` writes these lists into both pipelines. Some packages stand as a whole for what is
imported of them.
"""

import re
from collections.abc import Iterator

from ruamel.yaml import YAML

from study.running.sources import ROOT, closure, notebook_code

PIPELINES = ("dvc.yaml", "human/dvc.yaml")
WHOLE = ("grmp/io", "study/data")
"""Packages that are listed as folders."""
PAGE = "import study.reports.page, study.reports.stable"
"""What makes a page of an executed notebook."""
TEMPLATES = {"study/reports/frame.py": "study/reports/templates"}
"""What is no source, by the one that reads it."""


def code_of(command: str) -> str:
    """What a stage's command runs: its notebook's cells and what makes a page of them, or an import of its module."""
    if notebook := re.search(r"(notebooks/\w+\.ipynb)", command):
        return f"{notebook_code(ROOT / notebook[1])}\n{PAGE}"
    return "\n".join(f"import {module}" for module in re.findall(r"python -m (study[\w.]+)", command))


def sources(command: str) -> list[str]:
    """The dependencies of a stage on our sources, relative to `ROOT`."""
    files = [file.as_posix() for file in closure(code_of(command))]
    listed = {next((folder for folder in WHOLE if file.startswith(f"{folder}/")), file) for file in files}
    return sorted(listed | {TEMPLATES[file] for file in files if file in TEMPLATES})


def stages(pipeline: dict) -> Iterator[tuple[str, dict]]:
    """Names and definitions of a pipeline's stages; what a `foreach` repeats stands under its name."""
    for name, stage in pipeline["stages"].items():
        yield name, stage.get("do", stage)


def is_source(dependency: str) -> bool:
    """Whether a stage's dependency is one of our sources."""
    return re.match(r"(\.\./)?(grmp|study)/", dependency) is not None


def main() -> None:
    """Write the lists."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1000
    for name in PIPELINES:
        path = ROOT / name
        up = "../" * name.count("/")
        pipeline = yaml.load(path)
        for _, stage in stages(pipeline):
            own = [one for one in stage.get("deps", []) if not is_source(one)]
            stage["deps"] = own + [f"{up}{source}" for source in sources(stage["cmd"])]
        yaml.dump(pipeline, path)


if __name__ == "__main__":
    main()
