"""What the parts found: figures with their targets, and series without; the JSON file and the printed table.

Nothing here decides anything: a target that is missed is shown as missed and the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.rounds import Spread

PARTS = (
    *("verify", "dearest", "providers", "introspection", "dpop", "store", "middleware", "uvicorn"),
    *("memory", "imports", "cold", "growth"),
)


@dataclass(frozen=True)
class Figure:
    """One figure, as a rule with a target.

    Attributes:
        what: What was measured, for a person.
        value: The figure.
        unit: `x` (a ratio), `us`, `%`, `MiB`, `req/s` or `ms`.
        target: What it has to reach, or None where it is only shown.
        at_least: Whether more is better.
        against: What a ratio is taken against, or a percentage of.
        absolute: The same as an absolute figure with its unit, where the value is a ratio.
    """

    what: str
    value: Spread
    unit: str
    target: float | None = None
    at_least: bool = False
    against: str = ""
    absolute: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the target."""
        if self.target is None:
            return None
        return self.value.median >= self.target if self.at_least else self.value.median <= self.target


@dataclass(frozen=True)
class Row:
    """One verifier with one algorithm and one kind of token, beside the floor of its own process."""

    name: str
    algorithm: str
    token: str
    floor: Spread
    new: Spread
    repeated: Spread
    new_ratio: Spread
    repeated_ratio: Spread


@dataclass(frozen=True)
class Series:
    """How a figure grows along an axis: each point an x and a spread."""

    name: str
    axis: str
    unit: str
    points: list[tuple[float, Spread]]


@dataclass
class Findings:
    """What one part found."""

    figures: list[Figure] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def as_json(findings: Findings) -> dict[str, Any]:
    """The findings of a part, ready for `json`, each figure with whether it is met."""
    document = asdict(findings)
    for figure, entry in zip(findings.figures, document["figures"], strict=True):
        entry["met"] = figure.is_met
    return document


def merge(path: Path, machine: dict[str, Any], found: dict[str, Findings]) -> dict[str, Any]:
    """Put what was measured now in place of what the file said of these parts.

    Args:
        path: The JSON file, which need not exist.
        machine: Where and with what versions these parts were measured.
        found: The findings by part.

    Returns:
        The whole document, as written.
    """
    document: dict[str, Any] = {"parts": {}}
    if path.is_file():
        document = json.loads(path.read_text("utf-8"))
    for part, findings in found.items():
        document["parts"][part] = {"machine": machine, **as_json(findings)}
    document["parts"] = {part: document["parts"][part] for part in PARTS if part in document["parts"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


def number(value: float) -> str:
    """A figure with three significant digits, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{1 if abs(value) >= 10 else 2}f}"


def _value(figure: dict[str, Any]) -> str:
    text = f"{number(figure['value']['median'])} {figure['unit']}"
    return text if not figure["absolute"] else f"{text} ({figure['absolute']})"


def _target(figure: dict[str, Any]) -> str:
    if figure["target"] is None:
        return ""
    return f"{'>=' if figure['at_least'] else '<='} {number(figure['target'])} {figure['unit']}"


_MET = {True: "yes", False: "no", None: ""}


def figure_cells(figure: dict[str, Any]) -> list[str]:
    """The cells of one figure: what, median, quartiles, target, met."""
    spread = figure["value"]
    quartiles = (
        "" if spread["low"] == spread["high"] else f"{number(spread['low'])} ... {number(spread['high'])}"
    )
    what = figure["what"] + (f", against {figure['against']}" if figure["against"] else "")
    return [what, _value(figure), quartiles, _target(figure), _MET[figure["met"]]]


def row_cells(row: dict[str, Any]) -> list[str]:
    """The cells of one verifier: name, algorithm, token, floor; new and repeated, also over the floor."""
    cells = [row["name"], row["algorithm"], row["token"], number(row["floor"]["median"])]
    for case in ("new", "repeated"):
        cells += [number(row[case]["median"]), number(row[f"{case}_ratio"]["median"])]
    return cells


def series_cells(series: dict[str, Any]) -> tuple[list[str], list[str]]:
    """A heading and a row: the points of a series side by side."""
    heading = [series["axis"], *(f"{x:g}" for x, _ in series["points"])]
    return heading, [
        f"{series['name']} ({series['unit']})",
        *(number(s["median"]) for _, s in series["points"]),
    ]


FIGURE_HEADING = ["what", "median", "quartiles", "target", "met"]
ROW_HEADING = [
    "verifier",
    "algorithm",
    "token",
    "floor, us",
    "new, us",
    "new / floor",
    "repeated, us",
    "repeated / floor",
]


def aligned(heading: list[str], rows: Iterable[list[str]]) -> str:
    """A table for a terminal."""
    table = [heading, *rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(heading))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def text(document: dict[str, Any]) -> str:
    """Everything that was measured, for a terminal."""
    parts = document["parts"].values()
    blocks = [aligned(FIGURE_HEADING, (figure_cells(figure) for part in parts for figure in part["figures"]))]
    rows = [row_cells(row) for part in parts for row in part["rows"]]
    if rows:
        blocks.append(aligned(ROW_HEADING, rows))
    for part in parts:
        for series in part["series"]:
            heading, row = series_cells(series)
            blocks.append(aligned(heading, [row]))
    return "\n\n".join(blocks)
