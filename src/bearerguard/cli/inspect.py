"""`inspect`: a page on loopback where one pastes a token, and sees what it says and why it is refused.

It asks `ResourceServer.explain`, and makes no check of its own. Nothing of what is pasted is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bearerguard import AccessToken, ConfigurationError, Provider, ResourceServer
from bearerguard._extra import extra
from bearerguard.cli._command import output, run_command
from bearerguard.cli._inspect.page import Inspected, page
from bearerguard.cli._inspect.site import Pages, Site
from bearerguard.cli._interrupt import until_interrupted
from bearerguard.cli._request_file import NotARequest, RequestFromFile, request_in
from bearerguard.cli._rule import NotARule, rule_in
from bearerguard.cli._server import chosen_server
from bearerguard.explain.asked import text_in
from bearerguard.explain.situation import parts_of, shown

with extra("cli"):
    import click

__all__ = ["pages_of", "run"]

_REQUEST = re.compile(r"[A-Z]+ +(?:/|https?://)")


def run(arguments: list[str]) -> int:
    """Serve the page until Ctrl-C; return 0, or 2 for a mistake in the call."""
    return run_command(_inspect, arguments)


@click.command(
    "inspect",
    help="""Serve a page on this machine where you paste a token.

It shows header and claims with what each means, every check with the one that failed, a rule with the verdict
of each part, and the DPoP proof of a whole request. Only who has its address, which is new at each start, is
answered. It keeps nothing.

Exit status: 0 when it is stopped by Ctrl-C, 2 for a mistake in the call.""",
)
@click.option("--issuer", help="The exact 'iss' of good tokens; its keys are discovered.")
@click.option("--audience", multiple=True, help="What good tokens name in 'aud'; may be given again.")
@click.option("--app", metavar="MODULE:NAME", help="The ResourceServer or Guard of your program.")
@click.option("--rule", default="", help="What stands in the page's field for a rule.")
def _inspect(*, issuer: str | None, audience: tuple[str, ...], app: str | None, rule: str) -> int:
    try:
        if rule:
            rule_in(rule)
    except NotARule as problem:
        raise click.UsageError(f"--rule is {rule!r:.200}: {problem}.") from None
    server = chosen_server(issuer, audience, app)
    terminal = output()
    try:
        with Site(pages_of(server, rule)) as site:
            terminal.print("The page is at this address, which is new at each start. Ctrl-C ends it.\n")
            terminal.print(site.url, style="bold", soft_wrap=True)
            until_interrupted()
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def pages_of(server: ResourceServer, rule: str) -> Pages:
    """Return what makes the page.

    Args:
        server: which is asked.
        rule: what stands in the field for a rule at first.
    """
    asks = tuple(_asks(server.providers))

    def pages(form: dict[str, str] | None) -> str:
        if form is None:
            return page(asks, rule)
        written = form.get("rule", "")
        try:
            return page(asks, written, inspected=inspected(server, form.get("text", ""), written.strip()))
        except NotARule as problem:
            return page(asks, written, problem=f"This rule is not one: {problem}.")
        except NotARequest as problem:
            return page(asks, written, problem=f"This request is not one: {problem}.")
        except ConfigurationError as problem:
            return page(asks, written, problem=str(problem))

    return pages


def inspected(server: ResourceServer, text: str, rule: str) -> Inspected:
    """Return what is known of a token, or of a request.

    Raises:
        NotARule: the rule is not one.
        NotARequest: what begins like a request is not one.
    """
    asks = rule_in(rule) if rule else None
    now = server._clock()  # noqa: SLF001 - the distance of dates is told by the clock that judges them
    proof = ""
    asked: str | RequestFromFile
    if _REQUEST.match(text.lstrip()) is None:
        asked = token = text.strip("\r\n")
    else:
        asked = request_in(text.replace("\r\n", "\n"), server)
        token = text_in(asked, server)
        proofs = [value.decode("latin-1") for value in asked.values(b"dpop")]
        proof = proofs[0] if len(proofs) == 1 else ""
    said, outcome = server._explained(asked, asks)  # noqa: SLF001 - a provider is asked about a token once
    header, claims = parts_of(token)
    if isinstance(outcome, AccessToken):
        claims = outcome.claims_copy()  # of an opaque token, what its provider says of it
    return Inspected(said, header, claims, *parts_of(proof), now)


def _asks(providers: tuple[Provider, ...]) -> Iterator[str]:
    """Whom a server asks, and for what."""
    for provider in providers:
        name = shown(provider.name)[1:-1]
        if provider.remote_keys is not None:
            yield f"{name}, for its keys"
        if provider.introspection is not None:
            yield f"{name}, about a token that only it can read: it is sent the token"
    if not providers:
        yield "the issuer of the token, if your program's function accepts it, for its keys"
