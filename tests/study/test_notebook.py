import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grmp.errors import NO_MEMORY, UserError
from grmp.progress import MARK
from study.running.live_output import LiveOutput
from study.running.notebook import _failure, chosen, main, parse_setting, run_notebook

PARAMS = Path(__file__).parents[2] / "params.yaml"
PARAMETERS = new_code_cell("qgr: dict = {}\nrate = 0.1\nvariant: str", metadata={"tags": ["parameters"]})
WORK = """
import os, pathlib, sys, time
import matplotlib.pyplot as plt
from grmp.progress import MARK
print("go", flush=True)
while not pathlib.Path("seen").exists():
    time.sleep(0.02)
pathlib.Path("interpreter").write_text(sys.executable)
print(qgr["strength"], rate, os.getcwd(), sys.executable, object(), {"b", "a", "c"})
print(MARK + "step 1/2")
figure, axes = plt.subplots(figsize=(1, 1))
plt.close()
figure
"""


def write(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    path = folder / "notebooks" / "03_finetune.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path.relative_to(folder)


class Ran(NamedTuple):
    folder: Path
    out: str
    files: list[dict[str, bytes]]


class Terminal:
    """Stands in for stdout: once it has been told `go`, the cell may go on."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        if "go" in text:
            Path("seen").touch()
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("study")
    source = write(folder, new_markdown_cell("# Work"), PARAMETERS, new_code_cell(WORK))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        terminal = Terminal()
        patch.setattr(sys, "stdout", terminal)
        files = []
        for _ in range(2):
            Path("seen").unlink(missing_ok=True)
            run_notebook(source, Path("reports/03_finetune.ipynb"), {"qgr": {"strength": 2.0}, "rate": 1e-4})
            files.append({path.name: path.read_bytes() for path in Path("reports").iterdir()})
    return Ran(folder, terminal.text, files)


def test_what_cells_print_arrives_while_they_run(ran: Ran) -> None:
    # The cell waits for the terminal's answer to its first line, so the run would not have ended otherwise.
    assert "go\n2.0 0.0001 " in ran.out  # a slow machine may have had a line on silence before
    assert f"{MARK}step 1/2" in ran.out


def test_the_last_line_tells_files_time_and_memory(ran: Ran) -> None:
    last = ran.out.splitlines()[-1]
    pattern = r"03_finetune -> reports/03_finetune\.ipynb, \.html  in \d+\.\d s, peak memory \d+\.\d\d GB"
    assert re.fullmatch(pattern, last)


def test_equal_runs_give_equal_bytes(ran: Ran) -> None:
    assert sorted(ran.files[0]) == ["03_finetune.html", "03_finetune.ipynb"]
    assert ran.files[0] == ran.files[1]


def test_the_executed_notebook_is_valid_and_tells_nothing_of_the_machine(ran: Ran) -> None:
    text = ran.files[0]["03_finetune.ipynb"].decode()
    nbformat.validate(json.loads(text))
    for private in (str(ran.folder), str(Path.home()), sys.prefix, "papermill", MARK):
        assert private not in text
    assert "image/png" in text
    assert str(ran.folder) not in ran.files[0]["03_finetune.html"].decode()


def test_the_kernel_is_this_interpreter_in_the_current_folder(ran: Ran) -> None:
    assert (ran.folder / "interpreter").read_text() == sys.executable


def test_parameters_are_injected_as_given(ran: Ran) -> None:
    cells = json.loads(ran.files[0]["03_finetune.ipynb"])["cells"]
    injected = next(cell for cell in cells if cell["metadata"].get("tags") == ["injected-parameters"])
    assert injected["source"] == ["# Parameters\n", 'qgr = {"strength": 2.0}\n', "rate = 0.0001\n"]


def test_a_failing_cell_is_one_line_and_keeps_what_was_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, PARAMETERS, new_markdown_cell("## Divide"), new_code_cell("print('before')\n1 / 0"))
    target = Path("out.ipynb")
    target.write_text("older")
    expected = (
        r'^notebooks/03_finetune\.ipynb, cell 2 "Divide": ZeroDivisionError: division by zero '
        r"\(partly executed: out\.partial\.ipynb\)$"
    )
    with pytest.raises(UserError, match=expected):
        run_notebook(source, target, {})
    assert target.read_text() == "older"
    kept = Path("out.partial.ipynb").read_text()
    assert "before" in kept
    assert "ZeroDivisionError" in kept
    assert str(tmp_path) not in kept


def test_a_user_error_in_a_cell_keeps_its_words_and_success_removes_the_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "from pathlib import Path\nfrom grmp.errors import UserError\n"
    code += "if not Path('data').exists():\n    raise UserError('data: missing;\\nrun make study')"
    source = write(tmp_path, PARAMETERS, new_markdown_cell("## Read"), new_code_cell(code))
    expected = (
        r"^data: missing; run make study "
        r'\(notebooks/03_finetune\.ipynb, cell 2 "Read"; partly executed: out\.partial\.ipynb\)$'
    )
    with pytest.raises(UserError, match=expected):
        run_notebook(source, Path("out.ipynb"), {})
    Path("data").mkdir()
    run_notebook(source, Path("out.ipynb"), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "notebooks", "out.html", "out.ipynb"]


def test_a_dead_kernel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, PARAMETERS, new_code_cell("import os\nos._exit(1)"))
    with pytest.raises(UserError, match=r"cell 2: DeadKernel: the kernel died, most often for want of memory"):
        run_notebook(source, Path("out.ipynb"), {})


def test_a_kernel_that_dies_before_it_is_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n'ipykernel_launcher' in sys.orig_argv and os._exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match=r"cell 0: DeadKernel: the kernel died, most often for want of memory"):
        run_notebook(write(tmp_path, PARAMETERS), Path("out.ipynb"), {})


def test_ctrl_c_ends_soon_with_one_line_and_no_kernel(tmp_path: Path) -> None:
    code = "import os, time\nprint('kernel', os.getpid(), flush=True)\nwhile True:\n    sum(range(10**6))"
    source = write(tmp_path, PARAMETERS, new_code_cell(code))
    command = [sys.executable, "-m", "study.running.notebook", str(source), "out.ipynb", "--params", str(PARAMS)]
    options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Where the tests run in the background, a shell has them ignore Ctrl-C.
    heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, start_new_session=True, preexec_fn=heard, **options) as process:
        kernel = int(process.stdout.readline().removeprefix("kernel "))
        os.killpg(process.pid, signal.SIGINT)
        started = time.monotonic()
        try:
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert time.monotonic() - started < 3
    assert process.returncode == 130
    assert errors == f"interrupted: {source}; out.ipynb is as it was\n"
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert not (tmp_path / "out.ipynb").exists()


def test_a_name_that_the_notebook_does_not_define_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, PARAMETERS)
    with pytest.raises(UserError, match=r"03_finetune\.ipynb: .* does not define rat \(defined: qgr, rate, variant\)"):
        run_notebook(source, Path("out.ipynb"), {"rat": 1})


def test_a_notebook_without_parameters_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"03_finetune\.ipynb: has no cell tagged `parameters`"):
        run_notebook(write(tmp_path, new_code_cell("1")), Path("out.ipynb"), {})


def test_parameters_that_are_not_python_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, new_code_cell("rate =", metadata={"tags": ["parameters"]}))
    with pytest.raises(UserError, match=r"03_finetune\.ipynb: its `parameters` cell is not Python: invalid syntax"):
        run_notebook(source, Path("out.ipynb"), {})


def test_what_is_no_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("words")
    with pytest.raises(UserError, match=r"a\.ipynb: is not a notebook"):
        run_notebook(tmp_path / "a.ipynb", tmp_path / "out.ipynb", {})
    with pytest.raises(UserError, match=r"b\.ipynb: cannot be read \(No such file or directory\)"):
        run_notebook(tmp_path / "b.ipynb", tmp_path / "out.ipynb", {})


def test_only_the_named_sections_are_given_as_plain_values() -> None:
    sections = chosen(PARAMS, ["grid", "qgr"], [])
    assert list(sections) == ["grid", "qgr"]
    assert isinstance(sections["grid"]["labels"], list)


def test_single_keys_are_given_under_their_own_names() -> None:
    found = chosen(PARAMS, [], ["image.crop", "grid.repeats"])
    assert list(found) == ["crop", "repeats"]
    with pytest.raises(UserError, match=r"params\.yaml: image: has no key crap \(keys: "):
        chosen(PARAMS, [], ["image.crap"])


def test_an_unknown_section_is_named_with_its_file() -> None:
    with pytest.raises(UserError, match=r"params\.yaml: has no section gird \(sections: compute, "):
        chosen(PARAMS, ["gird"], [])


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("full", "full"), ("0.2", 0.2), ("50", 50), ("no", "no"), ("null", None)]
)
def test_settings_are_yaml_1_2(text: str, value: object) -> None:
    assert parse_setting(f"name={text}") == ("name", value)


@pytest.mark.parametrize("text", ["name", "=1", "a b=1", "name=[1"])
def test_a_malformed_setting_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"--set {text}: ")):
        parse_setting(text)


def test_the_command_gives_sections_and_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("study.running.notebook.run_notebook", lambda *arguments: calls.append(arguments))
    main(Path("a.ipynb"), Path("b.ipynb"), "qgr, sweep", "image.crop", ["variant=full"], PARAMS)
    source, target, parameters = calls[0]
    assert (source, target) == (Path("a.ipynb"), Path("b.ipynb"))
    assert list(parameters) == ["qgr", "sweep", "crop", "variant"]


def test_a_failure_on_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grmp.io.files.os.fsync", full)
    nbformat.write(new_notebook(), tmp_path / "b.ipynb")
    with pytest.raises(UserError, match=r"b\.ipynb: cannot be written \(No space left on device\)"):
        _failure(Path("a.ipynb"), tmp_path / "b.ipynb", LiveOutput("a"), "ValueError", "bad")


CODE = '"+__import__("pathlib").Path("ran").write_text("!")+"'
TEXTS = [
    "\\'",
    '"',
    "\\",
    '\\"',
    "\n1 / 0",
    "a\r\n# b",
    "\x00\x1b[31m",
    "{variant}",
    "$(touch ran)",
    "é\u202e写",
    CODE,
    "\\" + CODE,
    f"\n{CODE}",
]


def test_parameters_are_data_whatever_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    show = new_code_cell("import json\nprint(json.dumps([qgr, rate, variant]))")
    source = write(tmp_path, PARAMETERS, show)
    given = {"qgr": {CODE: TEXTS}, "rate": [float("inf"), -0.0, 10**18, None, True], "variant": CODE}
    run_notebook(source, Path("out.ipynb"), given)
    [output] = json.loads(Path("out.ipynb").read_text(encoding="utf-8"))["cells"][-1]["outputs"]
    assert json.loads("".join(output["text"])) == list(given.values())
    assert not Path("ran").exists()


@pytest.mark.parametrize("value", [{CODE}, CODE.encode(), (CODE,), {(CODE,): 1}, {5: 1}, [{CODE}]])
def test_values_that_papermill_would_write_as_they_print_never_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, PARAMETERS, new_code_cell("print(qgr)"))
    with pytest.raises(UserError, match="its parameter qgr has"):
        run_notebook(source, Path("out.ipynb"), {"qgr": value})
    assert not Path("ran").exists()
    assert not Path("out.ipynb").exists()


@pytest.mark.parametrize("text", ["!!set {'X'}", "!!binary IisxKyI=", "{? ['X'] : 1}", "2020-01-01", "*a", "&a [*a]"])
def test_settings_are_plain_values(text: str) -> None:
    with pytest.raises(UserError, match=r"--set variant=.*: the value "):
        parse_setting(f"variant={text.replace('X', CODE)}")


def test_want_of_memory_in_a_cell_is_told_with_the_remedy(tmp_path: Path) -> None:
    message = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes. Error code 12"
    nbformat.write(new_notebook(), tmp_path / "b.ipynb")
    error = _failure(Path("a.ipynb"), tmp_path / "b.ipynb", LiveOutput("a"), "RuntimeError", message)
    assert str(error).startswith(f"a.ipynb, cell 0: {NO_MEMORY} (partly executed: ")


def test_what_only_a_browser_can_use_goes_to_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    large = new_code_cell(
        "from IPython.display import HTML\nHTML('<b>' + 'lar' + 'ge</b>')", metadata={"tags": ["page-only"]}
    )
    source = write(tmp_path, PARAMETERS, large, new_code_cell("'sm' + 'all'"))
    run_notebook(source, Path("out.ipynb"), {})
    kept, page = Path("out.ipynb").read_text(encoding="utf-8"), Path("out.html").read_text(encoding="utf-8")
    assert "<b>large</b>" in page
    assert "<b>large</b>" not in kept
    assert "In [out.html](out.html)." in kept
    assert "small" in kept
