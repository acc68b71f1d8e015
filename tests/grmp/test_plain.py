import math

import pytest

from grmp.io.plain import DEEPEST, LONGEST, compact, parse, refuse_objects


def complaint(text: str) -> str:
    with pytest.raises(ValueError, match=r"^\w") as error:
        parse(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("[a, 0.5, true, null, -3]", ["a", 0.5, True, None, -3]),
        ("{a: {b: [1]}}", {"a": {"b": [1]}}),
        ("'2020-01-01'", "2020-01-01"),
        ("no", "no"),
        ("", None),
    ],
)
def test_plain_values_are_read_as_yaml_1_2(text: str, value: object) -> None:
    assert parse(text) == value


def test_an_alias_is_refused_before_it_is_followed() -> None:
    nine = "[" + ",".join(["*{0}"] * 9) + "]"
    bomb = "[&a [1]" + "".join(f",&{b} {nine.format(a)}" for a, b in zip("abcdefghijklmno", "bcdefghijklmnop")) + "]"
    assert "holds the alias *a" in complaint(bomb)
    assert "holds the alias *a" in complaint("&a [*a]")


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "{a: " * 5000, "- " * 10_000, "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)]
)
def test_nesting_has_an_end(text: str) -> None:
    assert "deep" in complaint(text) or "is not YAML" in complaint(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("!!set {a, b}", "set"),
        ("!!binary IisxKyI=", "bytes"),
        ("2020-01-01", "date"),
        ("[1, [2020-01-01]]", "date"),
    ],
)
def test_values_that_papermill_would_write_as_they_print_are_refused(text: str, kind: str) -> None:
    assert f"of the kind {kind}" in complaint(text).lower()


@pytest.mark.parametrize("text", ["{1: a}", "{? [a, b] : 1}", "{null: 1}"])
def test_keys_are_texts(text: str) -> None:
    assert "no text" in complaint(text)


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.system [id]", "!!timestamp x", "2020-99-99", "!!int x", "%YAML 9.9\n---\n1", "a: b: c"],
)
def test_what_no_value_can_be_made_of_is_told_in_words(text: str) -> None:
    assert complaint(text).startswith("is not YAML")


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "9" * 20])
def test_whole_numbers_beyond_64_bits_are_refused(text: str) -> None:
    assert complaint(text)


def test_a_long_text_is_refused_unread() -> None:
    assert f"more than {LONGEST:,} characters" in complaint("a" * (LONGEST + 1))


def test_nan_and_infinity_are_numbers() -> None:
    assert parse(".inf") == math.inf
    refuse_objects([math.nan, {"a": -math.inf}])


def test_parameters_are_one_line_of_yaml_in_their_own_order() -> None:
    values = {"labels": [10, 0.2], "device": "auto", "weights": None, "rate": 0.0005}
    assert compact(values) == "labels: [10, 0.2], device: auto, weights: null, rate: 0.0005"
