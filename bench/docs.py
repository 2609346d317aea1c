"""Writes `docs/performance.md` and its chart out of the template beside this file.

The template holds the text, with a `{{name}}` where a table or a sentence with figures goes. The page is
written as a whole or not at all, so that no part of it is left out by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench import chart, report
from bench.kinds import KINDS, WORST

TEMPLATE = Path(__file__).parent / "performance.md"
PAGE = "performance.md"
CHART = Path("images") / "performance.png"
Parts = dict[str, Any]


def table(heading: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figures(part: str) -> Callable[[Parts], str]:
    def render(parts: Parts) -> str:
        cells = [report.figure_cells(figure) for figure in parts[part]["figures"]]
        return table(
            report.FIGURE_HEADING,
            [[cell.replace("<=", "≤").replace(">=", "≥") for cell in row] for row in cells],
        )

    return render


def _rows(part: str) -> Callable[[Parts], str]:
    return lambda parts: table(report.ROW_HEADING, map(report.row_cells, parts[part]["rows"]))


def _series(parts: Parts) -> str:
    series = map(report.series_cells, parts["growth"]["series"])
    return "\n\n".join(table(heading, [row]) for heading, row in series)


def _instructions(parts: Parts) -> str:
    counted = parts["instructions"]
    rows = [[cell.replace("<=", "≤").replace(">=", "≥") for cell in row] for row in counted["rows"]]
    return "\n\n".join((table(counted["row_heading"], rows), *_two_halves(**counted)))


def _two_halves(kind_heading: list[str], kinds: list[list[str]], **_: object) -> tuple[str, str]:
    """What a kind costs by itself, and what guards and rules make of it: one table is wider than a page."""
    cut = kind_heading.index("FastAPI")
    first, second = slice(0, cut), slice(cut, None)
    return (
        table(kind_heading[first], (cells[first] for cells in kinds)),
        table(kind_heading[:1] + kind_heading[second], (cells[:1] + cells[second] for cells in kinds)),
    )


def _machine(parts: Parts) -> str:
    machine = parts["verify"]["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {machine['day']}: {machine['processor']}, {machine['processors']} processors, "
        f"{machine['system']}, "
        f"Python {machine['python']}, {machine['openssl']}; {versions}. {machine['rounds']} rounds."
    )


def _summary(parts: Parts) -> str:
    """What an API pays a request, in three sentences."""
    behind = [figure for figure in parts["middleware"]["figures"] if "Authenticate" in figure["what"]]
    repeated = [figure["value"]["median"] for figure in behind if "seen before" in figure["what"]]
    new = [figure["absolute"] for figure in behind if "never seen" in figure["what"]]
    first = [figure["absolute"] for figure in parts["cold"]["figures"] if "until its first" in figure["what"]]
    signature = next(row["floor"]["median"] for row in parts["verify"]["rows"])
    example, worst = map(report.number, repeated)
    return (
        f"A request whose token this process has seen before costs {example} us more than one without "
        f"authentication where the token is RFC 9068's example, and {worst} us where it is the dearest that "
        f"we know of up to 3 kB ({KINDS[WORST].title}). With a token that it has not seen it costs {new[0]} "
        f"and {new[1]}, of which the signature check, which nobody can do without, is "
        f"{report.number(signature)} us. And a process that has just started has verified its first token "
        f"after {first[0]} of its processor's time where it fetches the keys over http from the same "
        f"machine, or after {first[1]} with a snapshot of the keys."
    )


def _worst(_: Parts) -> str:
    return KINDS[WORST].title


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Parts], str]]] = {
    "machine": (("verify",), _machine),
    "worst": ((), _worst),
    "summary": (("verify", "middleware", "cold"), _summary),
    "verify": (("verify",), _figures("verify")),
    "dearest": (("dearest",), _figures("dearest")),
    "verifiers": (("verify",), _rows("verify")),
    "providers": (("providers",), _figures("providers")),
    "kinds": (("providers",), _rows("providers")),
    "introspection": (("introspection",), _figures("introspection")),
    "dpop": (("dpop",), _figures("dpop")),
    "store": (("store",), _figures("store")),
    "middleware": (("middleware",), _figures("middleware")),
    "uvicorn": (("uvicorn",), _figures("uvicorn")),
    "memory": (("memory",), _figures("memory")),
    "imports": (("imports",), _figures("imports")),
    "cold": (("cold",), _figures("cold")),
    "growth": (("growth",), _series),
    "instructions": (("instructions",), _instructions),
}


def filled(template: str, parts: Parts) -> str:
    """The template with each `{{name}}` filled.

    Raises:
        KeyError: It names something that nothing fills.
        LookupError: A part that it wants was never measured; the message names all of these.
    """
    names = re.findall(r"\{\{(\w+)\}\}", template)
    missing = {part for name in names for part in BLOCKS[name][0] if part not in parts}
    if missing:
        raise LookupError(f"not measured yet, so the page is left as it is: {', '.join(sorted(missing))}")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: BLOCKS[found[1]][1](parts), template)


def write(document: dict[str, Any], counted: dict[str, Any] | None, directory: Path) -> None:
    """Write the page and the chart.

    Args:
        document: What `bench.report.merge` returned.
        counted: What `make instructions` has left behind, if it has run.
        directory: The directory of the documentation.

    Raises:
        LookupError: Something was never measured.
    """
    parts = document["parts"] | ({} if counted is None else {"instructions": counted})
    page = filled(TEMPLATE.read_text("utf-8"), parts)
    (directory / PAGE).write_text(page, "utf-8")
    chart.draw(document, directory / CHART)
