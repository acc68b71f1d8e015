"""Surfaces made of text: params.yaml, settings of the command line, what papermill makes of them, label maps."""

import ast
import json
import math
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from papermill.translators import PythonTranslator
from ruamel.yaml import YAML

from fuzzing.mutation import mutated, regrown
from study import params
from study.data.labels import LabelMap
from study.running.notebook import chosen, parse_setting

ROOT = Path(__file__).parents[3]
BOMB = (
    "["
    + "&a [1,1],"
    + "".join(f"&{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]," for a, b in zip("abcdefghi", "bcdefghij"))
    + "*j]"
)
YAML_TOKENS = (
    b"[" * 500,
    b"{a: " * 300,
    b"- " * 400,
    BOMB.encode(),
    b"&a [*a]",
    b"<<: *a",
    b"%YAML 1.1\n---\n",
    b"%YAML 9.9\n---\n",
    b"---\n",
    b'!!set {"\\"+1+\\""}',
    b"!!binary IisxKyI=",
    b"!!python/object/apply:os.system [id]",
    b"!!timestamp x",
    b"!!int x",
    b"!!omap [a: 1]",
    b"? [a, b]\n: 1\n",
    b"2020-01-01",
    b"2020-99-99",
    b"1_000",
    b"0o17",
    b"0x" + b"f" * 50,
    b"9" * 5000,
    b"1e400",
    b".inf",
    b".nan",
    b"~",
    b"|\n  a\n",
    b"\t",
    b": ",
    b"{{x}}",
)


class ParamsFile:
    """params.yaml as a whole, its values exchanged."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "params.yaml"
        self.right = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))

    def inputs(self) -> SearchStrategy[bytes]:
        # JSON is YAML: what is exchanged stays readable, and the checks behind the reading are reached.
        exchanged = regrown(self.right).map(lambda tree: json.dumps(tree).encode("utf-8", "replace"))
        return st.one_of(exchanged, exchanged.flatmap(lambda text: mutated([text], YAML_TOKENS, 1)))

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(content)
        assert_data(chosen(self.path, list(params.Params.model_fields)[:-1], []))


class YamlText(ParamsFile):
    """Short YAML, right and wrong, as a params file."""

    def inputs(self) -> SearchStrategy[bytes]:
        seeds = [b"compute:\n  seed: 1\n", b"a: [1, 2]\nb: {c: d}\n", b"x: 'y'\n# z\n", b"", BOMB.encode()]
        return st.one_of(
            mutated(seeds, YAML_TOKENS), st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
        )


class Setting:
    """`--set name=value`, and the Python that papermill writes into the notebook."""

    def __init__(self, folder: Path) -> None:
        pass

    def inputs(self) -> SearchStrategy[bytes]:
        code = b'"+__import__("os").abort()+"'
        seeds = [
            b"a=1",
            b"rate=1e-4",
            b"x=[1, {a: b}]",
            b"x=" + code,
            b"x=!!set {'" + code + b"'}",
            b"x={? ['" + code + b"'] : 1}",
        ]
        return st.one_of(
            mutated(seeds, (*YAML_TOKENS, code, b"\\" + code, b"\n" + code)),
            st.text(max_size=40).map(lambda text: f"x={text}".encode("utf-8", "replace")),
            st.text(max_size=40).map(lambda text: f"x={json.dumps(text)}".encode("utf-8", "replace")),
        )

    def feed(self, content: bytes) -> None:
        name, value = parse_setting(content.decode("utf-8", "surrogateescape"))
        assert_data({name: value})


def assert_data(parameters: dict) -> None:
    """What papermill writes for `parameters` assigns exactly these values, and does nothing else."""
    code = PythonTranslator.codify(parameters)
    statements = ast.parse(code).body
    assert [type(statement) for statement in statements] == [ast.Assign] * len(parameters), code
    for statement, (name, value) in zip(statements, parameters.items()):
        assert [target.id for target in statement.targets] == [name]
        assert _same(_value(statement.value), value), code


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Dict):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Call):  # float('nan'), float('-inf'): nothing else
        assert node.func.id == "float"
        return float(node.args[0].value)
    return ast.literal_eval(node)


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


class LabelMapFile:
    """The map from similarity to score."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "map.json"

    def inputs(self) -> SearchStrategy[bytes]:
        right = {"similarity": [0.0, 0.5, 1.0], "score": [0.0, 0.4, 0.9]}
        exchanged = regrown(right).map(lambda tree: json.dumps(tree).encode())
        return st.one_of(exchanged, mutated([json.dumps(right).encode()], (b"[" * 3000,)))

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(content)
        assert 0 <= LabelMap.load(self.path)(0.5) <= 1
