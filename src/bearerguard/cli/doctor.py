"""`doctor`: what is right and wrong with a provider, and with the configuration of a program that trusts it.

It asks the provider what the library asks it, and changes nothing.
"""

from __future__ import annotations

import json
import time

from bearerguard import ConfigurationError, Provider, ResourceServer
from bearerguard._extra import extra
from bearerguard.cli._command import errors, output, run_command
from bearerguard.cli._doctor.examination import examine
from bearerguard.cli._doctor.findings import Finding, Section, status_of, to_dict
from bearerguard.cli._server import server_in

with extra("cli"):
    import click
    from rich.console import Console, Group, RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

__all__ = ["run"]

_USAGE = 64
_STYLES = {"ok": "green", "note": "cyan", "warning": "bold yellow", "error": "bold red"}


def run(arguments: list[str]) -> int:
    """Examine; return 0 where nothing is wrong, 1 for warnings, 2 for errors, 64 for a mistaken call."""
    return run_command(_doctor, arguments, usage=_USAGE)


@click.command(
    "doctor",
    help="""Say what is right and wrong with a provider.

ISSUER is the exact 'iss' of its tokens. With --app the program's own configuration is examined, with all of
its providers and its store.

Exit status: 0 nothing is wrong, 1 warnings, 2 errors (a provider that cannot be reached too), 64 a mistake in
the call.""",
)
@click.argument("issuer", required=False)
@click.option("--app", metavar="MODULE:NAME", help="The ResourceServer or Guard of your program.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _doctor(*, issuer: str | None, app: str | None, as_json: bool) -> int:
    if (issuer is None) == (app is None):
        raise click.UsageError("Give an ISSUER, or --app module:name.")
    server = server_in(app) if app is not None else _server_of(issuer or "")
    with errors().status("looking ...", spinner="line") as progress:
        sections = examine(
            server,
            lambda what: progress.update(Text(f"{what} ...")),
            time.time,
            has_settings=app is not None,
        )
    if as_json:
        print(json.dumps(to_dict(sections), indent=2))
    else:
        _print(output(), sections)
    return status_of(sections)


def _server_of(issuer: str) -> ResourceServer:
    try:
        # What its tokens are for does not matter here: none is looked at.
        return ResourceServer(Provider(issuer, audience="doctor"))
    except ConfigurationError as problem:
        raise click.UsageError(str(problem)) from None


def _print(terminal: Console, sections: tuple[Section, ...]) -> None:
    if terminal.is_terminal:
        terminal.print(_shown(sections))
    else:
        for line in _lines(sections):
            print(line)


def _shown(sections: tuple[Section, ...]) -> RenderableType:
    parts: list[RenderableType] = []
    for section in sections:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in section.findings:
            said = Text(finding.found)
            if finding.advice is not None:
                said.append(f"\n{finding.advice}", "dim" if finding.level in ("ok", "note") else "bold")
            table.add_row(Text(finding.level, _STYLES[finding.level]), Text(finding.about), said)
        parts += [Text(section.title, "bold"), Padding(table, (1, 0, 1, 2))]
    return Group(*parts, _summary(sections))


def _summary(sections: tuple[Section, ...]) -> Text:
    levels = [finding.level for section in sections for finding in section.findings]
    errors, warnings = levels.count("error"), levels.count("warning")
    if not (errors or warnings):
        return Text("Nothing is wrong.", "bold green")
    counts = [_count(errors, "error"), _count(warnings, "warning")]
    return Text(f"{' and '.join(filter(None, counts))}.", _STYLES["error" if errors else "warning"])


def _count(number: int, what: str) -> str:
    return "" if not number else f"{number} {what}{'s' if number > 1 else ''}"


def _lines(sections: tuple[Section, ...]) -> list[str]:
    lines = []
    for section in sections:
        lines += [section.title, ""]
        lines += [_line(finding) for finding in section.findings]
        lines.append("")
    return [*lines, _summary(sections).plain]


def _line(finding: Finding) -> str:
    advice = "" if finding.advice is None else f" -> {finding.advice}"
    return f"{finding.level:<7}  {finding.about:<13}  {finding.found}{advice}"
