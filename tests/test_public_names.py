"""Which names are public: each public module says so in `__all__`, and docs/reference/ shows just those."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import bearerguard
from tests.left_out import LEFT_OUT, is_left_out

ROOT = Path(__file__).parents[1]


def public_modules() -> list[str]:
    """Every module without an underscore in its path."""
    found = [module.name for module in pkgutil.walk_packages(bearerguard.__path__, "bearerguard.")]
    return ["bearerguard", *(name for name in found if "._" not in name and not is_left_out(name))]


def pages() -> dict[str, str]:
    """The pages of the reference, by the names of their files."""
    return {page.name: page.read_text("utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")}


def shown() -> dict[str, list[str]]:
    """The names that the pages of the reference show, by module."""
    index = (ROOT / "docs" / "reference.md").read_text("utf-8")
    assert "\n::: " not in index, "a name goes on the page of its topic, in docs/reference/"
    found: dict[str, list[str]] = {}
    for text in pages().values():
        for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
            module, _, name = path.rpartition(".")
            if not is_left_out(module):
                found.setdefault(module, []).append(name)
    return found


def public_names(name: str) -> set[str]:
    """A module's `__all__`, without modules that it passes on."""
    module = importlib.import_module(name)
    return {word for word in module.__all__ if not isinstance(getattr(module, word), types.ModuleType)}


MODULES = public_modules()
ROOMS = [name for name in MODULES if name.count(".") <= 1 and name != "bearerguard.cli"]
ROOMS.append("bearerguard.stores.redis")  # a room within a room: it needs an extra


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
    twice = {name: [word for word in set(words) if words.count(word) > 1] for name, words in page.items()}
    assert {name: words for name, words in twice.items() if words} == {}


def test_every_page_of_the_reference_is_found_from_its_first_page_and_from_the_menu() -> None:
    paths = {f"reference/{name}" for name in pages()}
    index = (ROOT / "docs" / "reference.md").read_text("utf-8")
    menu = (ROOT / "zensical.toml").read_text("utf-8")
    assert set(re.findall(r"\((reference/[\w-]+\.md)\)", index)) == paths
    assert set(re.findall(r'"(reference/[\w-]+\.md)"', menu)) == paths


def test_the_reference_has_an_example_of_every_name() -> None:
    """In the name's own docstring, or in a program on its page, which tests/test_docs.py runs."""
    lacking = []
    for text in pages().values():
        programs = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
            module, _, name = path.rpartition(".")
            imports = rf"^from {module} import .*\b{name}\b"
            if is_left_out(module) or any(
                re.search(imports, one, re.DOTALL | re.MULTILINE) for one in programs
            ):
                continue
            told = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
            if not re.search(r"^ *(>>>|```python$)", told, re.MULTILINE):
                lacking.append(path)
    assert lacking == []


def test_every_example_in_a_docstring_stands_where_the_site_shows_it_as_code() -> None:
    """Under `Examples:`, with an s: the site takes `Example:` for a remark, and runs its lines together."""
    sources = {file.name: file.read_text("utf-8") for file in Path(*bearerguard.__path__).rglob("*.py")}
    assert [name for name, text in sources.items() if re.search(r"^ *Example:$", text, re.MULTILINE)] == []


GUARDED = [
    "aiohttp",
    "asgi",
    "django",
    "drf",
    "fastapi",
    "flask",
    "grpc",
    "litestar",
    "mcp",
    "ninja",
    "starlette",
    "wsgi",
]


@pytest.mark.parametrize("room", [room for room in GUARDED if room not in LEFT_OUT])
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
