"""The examples in the docstrings of the harness give what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import harness

MODULES = sorted(path.stem for path in Path(harness.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    module = importlib.import_module(f"harness.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
