"""Which names are public: each public module says so in `__all__`, and docs/reference.md shows just those."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import bearerguard

ROOT = Path(__file__).parents[1]


def public_modules() -> list[str]:
    """Every module without an underscore in its path."""
    found = [module.name for module in pkgutil.walk_packages(bearerguard.__path__, "bearerguard.")]
    return ["bearerguard", *(name for name in found if "._" not in name)]


def shown() -> dict[str, list[str]]:
    """The names that the reference shows, by module."""
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    blocks = re.findall(
        r"^::: (\S+)\n    options:\n      members:\n((?:        - \w+\n?)+)", page, re.MULTILINE
    )
    assert len(blocks) == page.count("\n::: ")
    return {module: re.findall(r"- (\w+)", names) for module, names in blocks}


def public_names(name: str) -> set[str]:
    """A module's `__all__`, without modules that it passes on."""
    module = importlib.import_module(name)
    return {word for word in module.__all__ if not isinstance(getattr(module, word), types.ModuleType)}


MODULES = public_modules()
ROOMS = [name for name in MODULES if name.count(".") <= 1 and name != "bearerguard.cli"]


def test_every_public_module_says_which_names_are_its_own() -> None:
    assert [name for name in MODULES if not hasattr(importlib.import_module(name), "__all__")] == []


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_there_once(name: str) -> None:
    module = importlib.import_module(name)
    assert [word for word in module.__all__ if not hasattr(module, word)] == []
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", ROOMS)
def test_the_reference_shows_what_a_module_says_is_public(name: str) -> None:
    page = shown()
    # What the first page exports is shown there, wherever it is from.
    elsewhere = set() if name == "bearerguard" else public_names("bearerguard")
    assert set(page.get(name, ())) == public_names(name) - elsewhere


def test_the_reference_shows_nothing_twice_and_nothing_private() -> None:
    page = shown()
    assert page.keys() <= set(ROOMS)
    assert [name for name, words in page.items() if len(set(words)) < len(words)] == []


@pytest.mark.parametrize("room", ["asgi", "wsgi", "starlette", "fastapi", "flask"])
def test_the_reference_tells_every_argument_of_a_guard(room: str) -> None:
    page = shown()
    guard: type = importlib.import_module(f"bearerguard.{room}").Guard
    told = "".join(
        inspect.getdoc(base) or ""
        for base in guard.__mro__
        if any(getattr(importlib.import_module(name), base.__name__, None) is base for name in page)
    )
    arguments = list(inspect.signature(guard).parameters)
    assert len(arguments) >= 4
    assert [name for name in arguments if not re.search(rf"^ *{name}: ", told, re.MULTILINE)] == []
