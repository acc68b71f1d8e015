"""The source notebooks: no outputs, typed parameters, and only sections that params.yaml has."""

import ast
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from study.params import Params, load
from study.reports.formulas import lift_formulas

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PIPELINE = [path for path in NOTEBOOKS if path.name < "90"]
by_name = pytest.mark.parametrize("path", PIPELINE, ids=lambda path: path.stem)


def parameters(path: Path) -> dict[str, str]:
    """Names and annotations of the parameters cell."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1, f"{path.name} needs one cell tagged parameters"
    statements = ast.parse(cells[0].source).body
    assert all(isinstance(line, ast.AnnAssign) for line in statements), f"{path.name}: a parameter has no type"
    return {line.target.id: ast.unparse(line.annotation) for line in statements}


def test_the_six_notebooks_of_the_pipelines_are_there() -> None:
    assert [path.name[:2] for path in PIPELINE] == ["00", "01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed(path: Path) -> None:
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


@by_name
def test_sections_among_the_parameters_are_sections_of_params_yaml(path: Path) -> None:
    sections = {name for name, annotation in parameters(path).items() if annotation == "dict"}
    assert sections
    assert sections <= set(Params.model_fields)


@by_name
def test_every_key_that_a_notebook_reads_is_known(path: Path) -> None:
    known = load(ROOT / "human/params.yaml").model_dump()  # has every section
    source = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code")
    read = {
        (node.value.id, node.slice.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant)
    }
    unknown = {(section, key) for section, key in read if section in parameters(path) and section in known} - {
        (section, key) for section, values in known.items() for key in values
    }
    assert not unknown


@by_name
def test_a_pipeline_notebook_ends_with_its_provenance(path: Path) -> None:
    assert "provenance(" in nbformat.read(path, as_version=4).cells[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_can_be_drawn(path: Path) -> None:
    drawings: list[str] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            lift_formulas(cell.source, drawings)
    assert [drawing for drawing in drawings if "<code>" in drawing] == []
