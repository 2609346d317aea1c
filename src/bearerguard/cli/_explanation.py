"""An explanation as a terminal shows it. Only lays out: what it says is escaped and bounded already."""

from __future__ import annotations

from bearerguard._extra import extra
from bearerguard.explain import Check, Explanation

with extra("cli"):
    from rich.console import Group, RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

__all__ = ["shown_explanation"]

_STYLES = {"yes": "green", "no": "bold red", "not reached": "dim"}


def shown_explanation(said: Explanation) -> RenderableType:
    """Return what to print: the verdict, the cause with its advice, and the checks as a table."""
    verdict = Text("accepted", "bold green") if said.accepted else Text(f"refused: {said.reason}", "bold red")
    parts: list[RenderableType] = [verdict, ""]
    if said.cause is not None or said.advice is not None:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, sentence in (("cause", said.cause), ("advice", said.advice)):
            if sentence is not None:
                table.add_row(name, Text(sentence))
        parts += [Padding(table, (0, 0, 1, 2))]
    return Group(*parts, Padding(_checks(said.checks), (0, 0, 0, 2)))


def _checks(checks: tuple[Check, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in checks:
        style = _STYLES[one.outcome]
        name_style = "bold" if one.outcome == "no" else style if one.outcome == "not reached" else ""
        table.add_row(Text(one.outcome, style), Text(one.name, name_style), _found(one))
    return table


def _found(one: Check) -> RenderableType:
    if one.outcome == "not reached":
        return ""
    if one.outcome == "yes":
        return Text(one.found or "")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in (("found", one.found), ("expected", one.expected)):
        if value is not None:
            table.add_row(name, Text(value))
    return table
