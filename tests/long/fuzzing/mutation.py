"""Hypothesis strategies: bytes and trees that were right once, and have been meddled with."""

import math
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Change = tuple[str, int, int, bytes]
"""Kind, place (a share of the content, in 65536ths), length, payload."""

NASTY = (
    b"",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r\n",
    b'"',
    b"'",
    b"\\",
    b"#",
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"9" * 40,
    b"../../etc/hostname",
    b"\x1b[2J",
    b"\xe2\x80\xae",
)
KINDS = ("replace", "insert", "delete", "repeat", "cut", "flip")


def mutated(seeds: Sequence[bytes], tokens: Sequence[bytes] = (), most: int = 5) -> SearchStrategy[bytes]:
    """One of `seeds`, changed up to `most` times; `tokens` are pieces that mean something in their format."""
    payload = st.one_of(st.sampled_from([*NASTY, *tokens]), st.binary(max_size=8))
    change = st.tuples(st.sampled_from(KINDS), st.integers(0, 65535), st.integers(1, 40), payload)
    return st.builds(_apply, st.sampled_from(list(seeds)), st.lists(change, max_size=most))


def _apply(content: bytes, changes: list[Change]) -> bytes:
    for kind, share, length, payload in changes:
        at = len(content) * share >> 16
        content = _CHANGES[kind](content, at, length, payload)
    return content


def _flip(content: bytes, at: int, length: int, payload: bytes) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << length % 8]) + content[at + 1 :] if content else payload


_CHANGES: dict[str, Callable[[bytes, int, int, bytes], bytes]] = {
    "replace": lambda content, at, length, payload: content[:at] + payload + content[at + len(payload) :],
    "insert": lambda content, at, length, payload: content[:at] + payload + content[at:],
    "delete": lambda content, at, length, payload: content[:at] + content[at + length :],
    "repeat": lambda content, at, length, payload: content[:at] + content[at : at + length] * 3 + content[at:],
    "cut": lambda content, at, length, payload: content[:at],
    "flip": _flip,
}

LEAVES = (
    None,
    True,
    0,
    -1,
    3,
    2**31,
    2**63,
    10**30,
    0.5,
    -1e308,
    math.nan,
    math.inf,
    "",
    "x",
    "1e-4",
    "a\nb\x1b[31m",
    "\ud800",
    "../../x",
    [],
    {},
    [1, 2],
    {"x": 1},
)
"""Values that stand where another kind of value is expected."""


def trees() -> SearchStrategy[object]:
    """Anything that JSON can say, and what it says with other numbers."""
    leaf = st.one_of(st.sampled_from(LEAVES), st.integers(), st.floats(), st.text(max_size=8))
    names = st.text(max_size=5)
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=8
    )


def regrown(tree: object, most: int = 3) -> SearchStrategy[object]:
    """The tree with up to `most` of its places removed, renamed, or holding something else."""
    places = list(_places(tree))
    change = st.tuples(st.sampled_from(places), st.sampled_from(["put", "put", "put", "remove", "rename"]), trees())
    return st.lists(change, max_size=most).map(lambda changes: _regrow(tree, changes))


def _places(tree: object, path: tuple = ()) -> list[tuple]:
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    below = [place for key, value in entries for place in _places(value, (*path, key))]
    return [path, *below]


def _regrow(tree: object, changes: list[tuple[tuple, str, object]]) -> object:
    for path, kind, value in changes:
        tree = _changed(tree, path, kind, value)
    return tree


def _changed(tree: object, path: tuple, kind: str, value: object) -> object:
    if not path:
        return value if kind == "put" else tree
    key, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [_changed(entry, rest, kind, value) if place == key else entry for place, entry in enumerate(tree)]
    if not isinstance(tree, dict) or key not in tree:
        return tree
    if rest or kind == "put":
        return tree | {key: _changed(tree[key], rest, kind, value)}
    others = {name: entry for name, entry in tree.items() if name != key}
    return others if kind == "remove" else others | {f"{key}_": tree[key]}
