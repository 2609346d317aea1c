"""`explain`: why a token, or a request, is accepted or refused, by somebody's own configuration.

It asks `ResourceServer.explain`, and makes no check of its own.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path

from bearerguard._extra import extra
from bearerguard.cli._command import errors, output, run_command
from bearerguard.cli._explanation import shown_explanation
from bearerguard.cli._request_file import NotARequest, RequestFromFile, request_in
from bearerguard.cli._rule import NotARule, rule_in
from bearerguard.cli._server import chosen_server
from bearerguard.cli._token import token_from

with extra("cli"):
    import click

from bearerguard import ResourceServer, Rule

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Explain a token; return 0 where it is accepted, 1 where it is refused, 2 for a mistake in the call."""
    return run_command(_explain, arguments)


@click.command(
    "explain",
    help="""Say why a token is accepted or refused: every check, the cause, and what to do.

The token is read from standard input, or asked for without being shown. TOKEN on the command line works too,
and stays in the history of your shell.

Keys are fetched from the issuer, and it is asked about opaque tokens where --app is configured so; nothing
else leaves this machine.

Exit status: 0 accepted, 1 refused, 2 a mistake in the call.""",
)
@click.argument("token", metavar="[TOKEN | -]", required=False)
@click.option("--issuer", help="The exact 'iss' of good tokens; its keys are discovered.")
@click.option("--audience", multiple=True, help="What good tokens name in 'aud'; may be given again.")
@click.option("--app", metavar="MODULE:NAME", help="The ResourceServer or Guard of your program.")
@click.option("--rule", metavar="RULE", help="What a route asks for: \"scope('a') & role('b')\".")
@click.option(
    "--request",
    "request_file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A file with an HTTP request: line, fields, blank line; for DPoP and client certificates.",
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The client's certificate (PEM), where your own server ends TLS.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _explain(
    *,
    token: str | None,
    issuer: str | None,
    audience: tuple[str, ...],
    app: str | None,
    rule: str | None,
    request_file: Path | None,
    certificate: Path | None,
    as_json: bool,
) -> int:
    if token is not None and request_file is not None:
        raise click.UsageError("Give a TOKEN or a --request, not both: the request holds the token.")
    if certificate is not None and request_file is None:
        raise click.UsageError("--certificate goes with --request.")
    asks = _rule(rule)
    server = chosen_server(issuer, audience, app)
    if request_file is None:
        asked: str | RequestFromFile = token_from(token)
    else:
        asked = _request(request_file, server, certificate)
    with errors().status("asking the issuer ...", spinner="line"):
        said = server.explain(asked, rule=asks)
    terminal = output()
    if as_json:
        print(json.dumps(said.to_dict(), indent=2))
    elif terminal.is_terminal:
        terminal.print(shown_explanation(said))
    else:
        print(said)  # lines that nobody has cut for a width
    return 0 if said.accepted else 1


def _rule(text: str | None) -> Rule | None:
    if text is None:
        return None
    try:
        return rule_in(text)
    except NotARule as problem:
        raise click.UsageError(f"--rule is {text!r:.200}: {problem}.") from None


def _request(file: Path, server: ResourceServer, certificate: Path | None) -> RequestFromFile:
    try:
        with click.open_file(str(file), encoding="utf-8", errors="replace") as opened:
            text = opened.read()
        return request_in(text, server, None if certificate is None else _der(certificate))
    except NotARequest as problem:
        raise click.UsageError(f"--request {file} is not a request: {problem}.") from None


def _der(file: Path) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(file.read_text("ascii").strip())
    except ValueError:
        raise click.UsageError(f"--certificate {file} is not a certificate in PEM.") from None
