"""`issuer`: a real issuer for development, on loopback, with made-up people, and what to paste beside it.

It is the issuer of the test kit, by the clock of this machine. Anybody can log in: it is never for
production, and it listens to nobody but this machine.
"""

from __future__ import annotations

import time
from typing import Any

from bearerguard._extra import extra
from bearerguard.cli._command import output, run_command
from bearerguard.cli._interrupt import until_interrupted
from bearerguard.cli._members import claims_in, persona_in
from bearerguard.cli._paste import API, Paste, paste_for
from bearerguard.logging import on_one_line
from bearerguard.testing import Clock, Issuer, Persona
from bearerguard.testing.login_page import PERSONAS

with extra("cli"):
    import click
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

__all__ = ["run"]

_DOCS = "docs"
_REDIRECTS = (f"{API}/docs/oauth2-redirect", "http://localhost:8000/docs/oauth2-redirect")


class _TimeOfDay(Clock):
    """The clock of this machine, which also goes on while a laptop sleeps."""

    def __call__(self) -> float:
        return time.time()


def run(arguments: list[str]) -> int:
    """Serve an issuer until Ctrl-C; return 0, or 2 for a mistake in the call."""
    return run_command(_issuer, arguments)


@click.command(
    "issuer",
    help="""Serve a real issuer on this machine, for development.

People who are made up log in on its page (with PKCE), a program gets tokens for its own secret, opaque
tokens can be asked about, and who proves a key by DPoP gets a token that is bound to it. What to paste into
an API and into a terminal is printed.

--token prints a token too, with the claims that follow: --token sub=ada scope="orders:read" roles=admin

Exit status: 0 when it is stopped by Ctrl-C, 2 for a mistake in the call.""",
)
@click.argument("claims", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0: a free one.")
@click.option("--audience", default="https://orders.example", show_default=True, help="The API's name.")
@click.option("--token", "makes_token", is_flag=True, help="Print a token with the claims that are given.")
@click.option("--opaque", is_flag=True, help="With --token: one that only the issuer can read.")
@click.option(
    "--persona",
    "personas",
    multiple=True,
    metavar="CLAIMS",
    help="Who can log in: \"sub=eve scope='orders:read' roles=admin\"; may be given again.",
)
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    metavar="URI",
    help=f"Where the client {_DOCS!r} may send people back to, on loopback; by default, FastAPI's /docs.",
)
def _issuer(
    *,
    claims: tuple[str, ...],
    port: int,
    audience: str,
    makes_token: bool,
    opaque: bool,
    personas: tuple[str, ...],
    redirect_uris: tuple[str, ...],
) -> int:
    if (claims or opaque) and not makes_token:
        raise click.UsageError("Claims and --opaque go with --token.")
    asked = claims_in(claims)
    people = tuple(map(persona_in, personas)) or PERSONAS
    issuer = Issuer(audience=audience, clock=_TimeOfDay(), personas=people)
    uris = redirect_uris or _REDIRECTS
    try:
        issuer.register_client(_DOCS, *uris)
    except ValueError as problem:
        raise click.UsageError(f"--redirect-uri: {problem}") from None
    try:
        with issuer.serve(port):
            token = _token(issuer, asked, opaque=opaque) if makes_token else None
            _tell(output(), issuer, people, uris, token, is_opaque=opaque)
            until_interrupted()
    except KeyboardInterrupt:
        print("\nStopped.")
    except OSError:
        raise click.UsageError(
            f"Port {port} is taken: another issuer may be running. Give another --port, or 0 for a free one."
        ) from None
    return 0


def _token(issuer: Issuer, claims: dict[str, Any], *, opaque: bool) -> str:
    members = dict(claims)
    subject, scope = members.pop("sub", "ada"), members.pop("scope", None)
    return (issuer.opaque_token if opaque else issuer.token)(subject, scope, **members)


def _tell(
    terminal: Console,
    issuer: Issuer,
    people: tuple[Persona, ...],
    uris: tuple[str, ...],
    token: str | None,
    *,
    is_opaque: bool,
) -> None:
    terminal.print(Text(f"The issuer runs at {issuer.url}. Ctrl-C ends it.", "bold"))
    terminal.print("It serves only this machine, and anybody can log in: never use it in production.")
    terminal.print(Padding(_who(issuer, people, uris), (1, 0, 1, 2)))
    scopes = [scope for persona in people for scope in persona.scopes]
    scope = (scopes or ["orders:read"])[0]
    paste = paste_for(issuer, scope, docs=_DOCS, token=token, is_opaque=is_opaque)
    for heading, text in _blocks(paste, has_token=token is not None):
        terminal.print(Text(heading, "bold"))
        # As it is, so that what is copied is what works: the terminal breaks what is too long by itself.
        terminal.print(Text(f"\n{text}", "cyan"), soft_wrap=True)


def _blocks(paste: Paste, *, has_token: bool) -> tuple[tuple[str, str], ...]:
    made = "The token, for a third one:" if has_token else "In a third one, get a token as a program does:"
    return (
        ("An API that trusts it: put this into main.py,", paste.program),
        ("and start it, in another terminal:", paste.start),
        (made, paste.token),
        ("and ask the API:", paste.request),
    )


def _who(issuer: Issuer, people: tuple[Persona, ...], uris: tuple[str, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for number, persona in enumerate(people):
        scopes = f"scopes {' '.join(persona.scopes)}" if persona.scopes else "no scopes"
        roles = f", roles {' '.join(persona.roles)}" if persona.roles else ""
        said = on_one_line(f"{persona.sub}: {scopes}{roles}")
        table.add_row("people" if number == 0 else "", Text(said))
    table.add_row("a program", f"{issuer.client_id}, with the secret {issuer.client_secret}")
    table.add_row("a page", f"{_DOCS}, for people who log in; they are sent back to")
    for uri in uris:
        table.add_row("", Text(uri))
    table.add_row("login page", issuer.authorization_endpoint)
    table.add_row("tokens at", issuer.token_endpoint)
    table.add_row("asked about at", issuer.introspection_endpoint)
    return table
