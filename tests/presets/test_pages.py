"""Has each preset a page that names it, and says each where its facts are from?"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from bearerguard import presets

PAGES = Path(__file__).parents[2] / "docs" / "providers"
SECTIONS = (
    "At the provider",
    "In the API",
    "What a token looks like",
    "Scopes and roles",
    "Traps",
    "Users and machines",
    "Testing",
)


@pytest.mark.parametrize("name", presets.__all__)
def test_each_preset_has_a_row_and_a_page(name: str) -> None:
    [page] = re.findall(rf"\]\((\S+\.md)\) \| `{name}\(", (PAGES / "index.md").read_text("utf-8"))
    text = (PAGES / page).read_text("utf-8")
    assert f"{name}(" in text
    assert [heading for heading in SECTIONS if f"## {heading}\n" not in text] == []


@pytest.mark.parametrize("name", presets.__all__)
def test_each_preset_says_where_its_facts_are_from_and_of_which_date(name: str) -> None:
    module = sys.modules[getattr(presets, name).__module__]
    assert re.search(r"Facts from .*\d{4}-\d{2}-\d{2}", inspect.getdoc(module) or "", re.DOTALL)


def test_each_page_tests_what_its_own_provider_does_and_a_refusal() -> None:
    sections = {
        page.name: page.read_text("utf-8").partition("## Testing\n")[2].partition("\n## ")[0]
        for page in PAGES.glob("*.md")
        if "## Testing\n" in page.read_text("utf-8")
    }
    assert [name for name, section in sections.items() if "pytest.raises(InvalidToken)" not in section] == []
    tests = [re.findall(r"^def (test_\w+)", section, re.MULTILINE) for section in sections.values()]
    names = [name for several in tests for name in several]
    assert len(names) == len(set(names)) >= len(sections)


def test_every_page_is_in_the_navigation() -> None:
    navigation = (PAGES.parents[1] / "zensical.toml").read_text("utf-8")
    assert [page.name for page in PAGES.glob("*.md") if f'"providers/{page.name}"' not in navigation] == []
