"""Writes the table of `bench.fleet` into `docs/fleet.md`, and its plot beside the other pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log10
from pathlib import Path

from bench.fleet import Counted

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "fleet.md"
PLOT = DOCS / "images" / "fleet-fetches.svg"
Row = tuple[int, Counted, Counted]

SEEN = ("answered", "failed", "most in a second")
HEADING = (
    f"| processes | without store: {' | '.join(SEEN)} | with store: {' | '.join(SEEN)} |\n"
    f"|{' --- |' * (1 + 2 * len(SEEN))}\n"
)
LEFT, RIGHT, TOP, BOTTOM = 76, 322, 36, 216
DECADES_ACROSS, DECADES_UP = 4, 6
ATTRIBUTES = (
    'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 348 256" role="img" aria-labelledby="title said"'
)
STYLE = """\
  text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #12303a; }
  .bold { font-weight: 700; }
  .grid { stroke: #d3dfe2; stroke-width: 1; fill: none; }
  .line { stroke-width: 2.5; fill: none; }
"""


def write(rows: Sequence[Row]) -> None:
    """Write the table and the plot.

    Args:
        rows: how many processes, and what their provider saw without a store and with one.
    """
    cells = [
        [processes, *(figure for counted in (alone, together) for figure in _figures(counted))]
        for processes, alone, together in rows
    ]
    table = HEADING + "".join(f"| {' | '.join(f'{cell:,}' for cell in line)} |\n" for line in cells)
    begin, end = "<!-- python -m bench.fleet --docs -->\n", "<!-- /python -->"
    page = PAGE.read_text("utf-8")
    written, places = re.subn(
        f"({begin}).*({end})", lambda found: found[1] + table + found[2], page, flags=re.DOTALL
    )
    if places != 1:
        raise SystemExit(f"{PAGE.name} needs one place for the table, between {begin.strip()} and {end}")
    PAGE.write_text(written, "utf-8")
    PLOT.write_text(_plot(rows), "utf-8")


def _figures(counted: Counted) -> tuple[int, int, int]:
    return counted.answered, counted.failed, counted.most_in_a_second


def _plot(rows: Sequence[Row]) -> str:
    grid = []
    for decade in range(DECADES_UP + 1):
        y = _y(10**decade)
        grid.append(f'<path class="grid" d="M{LEFT} {y} H{RIGHT}"/>')
        grid.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,}</text>')
    for decade in range(DECADES_ACROSS + 1):
        x = _x(10**decade)
        grid.append(f'<path class="grid" d="M{x} {TOP} V{BOTTOM}"/>')
        grid.append(f'<text x="{x}" y="{BOTTOM + 17}" text-anchor="middle">{10**decade:,}</text>')
    alone = [(processes, counted.answered) for processes, counted, _ in rows]
    together = [(processes, counted.answered) for processes, _, counted in rows]
    said = (
        "On logarithmic axes: without a store the fetches that the provider answers grow with the number of "
        f"processes, from {alone[0][1]:,} to {alone[-1][1]:,} a day; with a store they stay between "
        f"{min(count for _, count in together):,} and {max(count for _, count in together):,}."
    )
    return "\n".join(
        [
            f"<svg {ATTRIBUTES}>",
            '<title id="title">Fetches of keys that the provider answers in a day</title>',
            f'<desc id="said">{said}</desc>',
            f"<style>\n{STYLE}</style>",
            '<rect width="348" height="256" rx="6" fill="#fff"/>',
            '<text class="bold" x="8" y="18">fetches of keys answered in a day, logarithmic</text>',
            *grid,
            _label("processes, logarithmic", (LEFT + RIGHT) / 2, BOTTOM + 35),
            _line(alone, "#b45309"),
            _line(together, "#0b5a6b"),
            _label("without a store", _x(9), _y(24_000), "bold"),
            _label("with a store", _x(700), _y(180), "bold"),
            "</svg>\n",
        ]
    )


def _label(text: str, x: float, y: float, kind: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" class="{kind}">{text}</text>'


def _line(points: Sequence[tuple[int, int]], colour: str) -> str:
    path = " L".join(f"{_x(processes)} {_y(count)}" for processes, count in points)
    dots = "".join(
        f'<circle cx="{_x(at)}" cy="{_y(count)}" r="3.5" fill="{colour}"/>' for at, count in points
    )
    return f'<path class="line" stroke="{colour}" d="M{path}"/>{dots}'


def _x(processes: int) -> float:
    return round(LEFT + (RIGHT - LEFT) * log10(processes) / DECADES_ACROSS, 1)


def _y(count: int) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * log10(count) / DECADES_UP, 1)
