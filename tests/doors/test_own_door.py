"""docs/own-door.md: a door that anybody can write. `tests/conformance` puts it through everything."""

from __future__ import annotations

import re

from tests.doors_under_test.own_doors import PAGE

TEXT = PAGE.read_text("utf-8")


def test_the_page_is_read_in_one_sitting() -> None:
    assert len(TEXT.splitlines()) < 60


def test_the_door_imports_public_names_only() -> None:
    imported = re.findall(r"^from (bearerguard\S*) import (.+)$", TEXT, re.MULTILINE)
    assert len(imported) > 3
    assert not [names for names in imported if re.search(r"\b_", " ".join(names))]


def test_the_site_leads_to_the_page() -> None:
    assert f'"{PAGE.name}"' in (PAGE.parents[1] / "zensical.toml").read_text("utf-8")
