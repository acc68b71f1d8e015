from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from grmp.progress import MARK
from study.reports.stable import scrub, small_png, stabilise


def stream(text: str, name: str = "stdout") -> dict:
    return new_output("stream", name=name, text=text)


def test_ids_and_metadata_that_change_are_gone() -> None:
    clocks = {"papermill": {"start_time": "now"}, "execution": {"iopub.status.busy": "now"}, "tags": ["remove"]}
    notebook = new_notebook(
        cells=[new_markdown_cell("# A", metadata={"tags": []}), new_code_cell("1", metadata=clocks, execution_count=1)],
        metadata={
            "papermill": {"duration": 1.0},
            "widgets": {},
            "kernelspec": {"name": "other", "display_name": "Other"},
        },
    )
    stable = stabilise(notebook)
    assert [cell.id for cell in stable.cells] == ["cell-01", "cell-02"]
    assert [cell.metadata for cell in stable.cells] == [{}, {"tags": ["remove"]}]
    assert set(stable.metadata) == {"kernelspec", "language_info"}
    assert stable.metadata.kernelspec.name == "python3"


def test_however_streams_were_cut_the_result_is_the_same() -> None:
    one = [stream("a\n"), stream("warn\n", "stderr"), stream("b\nc\n")]
    other = [stream("warn\n", "stderr"), stream("a\nb"), stream("\nc\n")]
    first, second = (stabilise(new_notebook(cells=[new_code_cell("x", outputs=outputs)])) for outputs in (one, other))
    assert first == second
    assert [(output.name, output.text) for output in first.cells[0].outputs] == [
        ("stdout", "a\nb\nc\n"),
        ("stderr", "warn\n"),
    ]


def test_streams_do_not_cross_a_figure() -> None:
    figure = new_output("display_data", data={"image/jpeg": "/9j/"})
    outputs = stabilise(new_notebook(cells=[new_code_cell("x", outputs=[stream("a"), figure, stream("b")])])).cells[0]
    assert [output.output_type for output in outputs.outputs] == ["stream", "display_data", "stream"]


def test_progress_lines_are_for_the_terminal_alone() -> None:
    outputs = [stream(f"{MARK}step 1/2"), stream(f"\nkept\n{MARK}step 2/2\n")]
    cell = stabilise(new_notebook(cells=[new_code_cell("x", outputs=outputs)])).cells[0]
    assert [output.text for output in cell.outputs] == ["kept\n"]


def test_paths_of_this_machine_become_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "study").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "study")
    assert scrub(f"{home}/study/reports/a.csv in {home}/study") == "reports/a.csv in ."
    assert scrub(f"{home}/.cache and {home}") == "~/.cache and ~"
    assert scrub(f"{home}less and {home}/study-2/x") == f"{home}less and ~/study-2/x"
    assert scrub(f"'{home}/study', {home}.") == "'.', ~."


def test_addresses_and_the_kernels_files_are_gone() -> None:
    assert scrub("<Axes at 0x7f00aa11bb22>") == "<Axes at 0x…>"
    assert scrub("/tmp/ipykernel_12/345.py:3: UserWarning") == "<cell>:3: UserWarning"
    assert scrub("colour 0x7f00aa11bb22") == "colour 0x7f00aa11bb22"


def test_encoded_pictures_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"image/jpeg": f"AA{tmp_path}", "text/html": f"<a>{tmp_path}</a>", "image/svg+xml": f"<svg>{tmp_path}</svg>"}
    output = new_output("display_data", data=data)
    stable = stabilise(new_notebook(cells=[new_code_cell("x", outputs=[output])])).cells[0].outputs[0].data
    assert stable == {"image/jpeg": f"AA{tmp_path}", "text/html": "<a>.</a>", "image/svg+xml": "<svg>.</svg>"}


def test_a_figure_with_a_palette_looks_the_same_and_takes_half_the_bytes() -> None:
    figure, axes = plt.subplots(dpi=110)
    axes.plot(np.sin(np.linspace(0, 20, 200)), color="tab:red", alpha=0.7)
    axes.set_title("SRCC against labels")
    content = BytesIO()
    figure.savefig(content, format="png")
    plt.close(figure)
    small = b64decode(small_png(b64encode(content.getvalue()).decode()))
    before, after = (np.asarray(Image.open(BytesIO(png)).convert("RGB"), int) for png in (content.getvalue(), small))
    assert len(small) < len(content.getvalue()) / 2
    assert np.abs(before - after).mean() < 0.5  # of 255
