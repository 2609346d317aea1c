"""Reads the tables of `docs/migrating.md`: what the page says is what the tests of this folder hold it to."""

from __future__ import annotations

from tests.seeds.seed_sources import ROOT

PAGE = ROOT / "docs" / "migrating.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the one table below a heading, without its header."""
    below = PAGE.read_text("utf-8").split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]
