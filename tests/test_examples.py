"""The examples in the docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import bearerguard


def modules_with_examples() -> list[str]:
    """Every module in whose docstrings something is run, by name."""
    names = [found.name for found in pkgutil.walk_packages(bearerguard.__path__, "bearerguard.")]
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        name
        for name in sorted(names)
        if not name.endswith("__main__")
        and any(test.examples for test in finder.find(importlib.import_module(name)))
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_do_what_they_show(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
