"""The examples in the docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import bearerguard
from tests.left_out import is_left_out


def modules_with_examples() -> list[str]:
    """Every module in whose docstrings something is run, by name."""
    names = [found.name for found in pkgutil.walk_packages(bearerguard.__path__, "bearerguard.")]
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        name
        for name in sorted(names)
        if not name.endswith("__main__")
        and not is_left_out(name)
        and any(test.examples for test in finder.find(importlib.import_module(name)))
    ]


def test_no_example_is_skipped_in_front_of_the_reader() -> None:
    """What doctest cannot run is a fenced block, which tests/test_docs.py runs."""
    (folder,) = map(Path, bearerguard.__path__)
    directive = "doctest: " + "+SKIP"
    assert [file for file in sorted(folder.rglob("*.py")) if directive in file.read_text("utf-8")] == []


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_do_what_they_show(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
