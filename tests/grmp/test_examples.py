"""The examples in grmp's docstrings give what they show."""

import doctest
import importlib
import pkgutil

import pytest

import grmp

MODULES = [found.name for found in pkgutil.walk_packages(grmp.__path__, "grmp.")]
WITH_EXAMPLES = {"grmp.meta", "grmp.metrics", "grmp.projection", "grmp.prompts", "grmp.regression", "grmp.text"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted > 0 or name not in WITH_EXAMPLES
