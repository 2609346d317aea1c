"""Writes the figures and the chart of `docs/performance.md`: no figure there is typed by hand.

Figures stand between markers; the text around them is left as it is, and so is a marker whose part was
never measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench import chart, report

PAGE = "performance.md"
CHART = Path("images") / "performance.png"


def table(heading: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figures(part: dict[str, Any]) -> str:
    cells = [report.figure_cells(figure) for figure in part["figures"]]
    return table(
        report.FIGURE_HEADING, [[cell.replace("<=", "≤").replace(">=", "≥") for cell in row] for row in cells]
    )


def _rows(part: dict[str, Any]) -> str:
    return table(report.ROW_HEADING, map(report.row_cells, part["rows"]))


def _series(part: dict[str, Any]) -> str:
    return "\n\n".join(table(heading, [row]) for heading, row in map(report.series_cells, part["series"]))


def _machine(part: dict[str, Any]) -> str:
    machine = part["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {machine['day']}: {machine['processor']}, {machine['processors']} processors, "
        f"{machine['system']}, "
        f"Python {machine['python']}, {machine['openssl']}; {versions}. {machine['rounds']} rounds."
    )


BLOCKS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "machine": ("verify", _machine),
    "verify": ("verify", _figures),
    "verifiers": ("verify", _rows),
    "middleware": ("middleware", _figures),
    "uvicorn": ("uvicorn", _figures),
    "memory": ("memory", _figures),
    "imports": ("imports", _figures),
    "growth": ("growth", _series),
}


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with each `<!-- bench:NAME -->` ... `<!-- /bench -->` filled anew.

    Raises:
        KeyError: The page has a marker of a name that nothing fills.
    """

    def fill(found: re.Match[str]) -> str:
        part, render = BLOCKS[found[1]]
        if part not in document["parts"]:
            return found[0]
        return f"<!-- bench:{found[1]} -->\n{render(document['parts'][part])}\n<!-- /bench -->"

    return re.sub(r"<!-- bench:(\w+) -->.*?<!-- /bench -->", fill, page, flags=re.DOTALL)


def write(document: dict[str, Any], directory: Path) -> None:
    """Write the page's figures and the chart.

    Args:
        document: What `bench.report.merge` returned.
        directory: The directory of the documentation.
    """
    page = directory / PAGE
    page.write_text(filled(page.read_text("utf-8"), document), "utf-8")
    if "verify" in document["parts"]:
        chart.draw(document, directory / CHART)
