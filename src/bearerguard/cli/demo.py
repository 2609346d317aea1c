"""`demo`: a small real issuer, an API that trusts it, and the story of some requests, told as a table.

Everything in it is real but the people: keys, signatures, HTTP on loopback, discovery, a key rotation. It
fails where anything comes out otherwise than it should.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import socket
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bearerguard import DPoP, Introspection, Provider, ResourceServer, scope
from bearerguard._extra import extra
from bearerguard.cli._interrupt import until_interrupted
from bearerguard.testing import Issuer

with extra("demo"):
    import httpx2
    import uvicorn
    from rich.console import Console
    from rich.padding import Padding
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    from bearerguard.starlette import Guard

__all__ = ["run"]

Endpoint = Callable[..., Awaitable[Response]]

AUDIENCE = "https://orders.example"
REVOCATION_BUDGET = 30.0  # seconds, as `Introspection` has them by default


@dataclass(frozen=True)
class Row:
    """One request of the story: what is sent, and what must come of it."""

    title: str
    expected: str
    send: Callable[[], str]


def run(arguments: list[str]) -> int:
    """Tell the story; return 0 if every row came out as it should, else 1."""
    parser = argparse.ArgumentParser(
        prog="bearerguard demo", description="A real issuer, a protected API, and a story between them."
    )
    parser.add_argument("--once", action="store_true", help="stop after the table")
    parser.add_argument("--port", type=int, default=0, help="of the API (default: a free one)")
    options = parser.parse_args(arguments)
    # The table tells what happened; the log would tell it a second time, in between.
    logging.getLogger("bearerguard").setLevel(logging.CRITICAL)
    console = Console()
    with ExitStack() as stack:
        issuer = stack.enter_context(Issuer(audience=AUDIENCE).serve())
        address = stack.enter_context(serve_api(protected_api(issuer), options.port))
        client = stack.enter_context(httpx2.Client(trust_env=False, timeout=10))
        introduce(console, issuer, address, client)
        table, failures = play(story(issuer, address, client))
        console.print(table)
        paths = Counter(request.path for request in issuer.requests)
        asked = ", ".join(f"{path} {count} times" if count > 1 else path for path, count in paths.items())
        console.print(f"\nAll the while the issuer was asked only for {asked}.", highlight=False)
        if failures:
            console.print(f"\n[bold red]{failures} of these came out otherwise than they should.[/]")
            return 1
        console.print("\nAll as it should be: only valid tokens came through.")
        if not options.once:
            invite(console, issuer, address)
    return 0


def orders_of(issuer: str) -> Endpoint:
    """The endpoint that the story begins with; its lines are shown as they stand here."""
    guard = Guard(ResourceServer(Provider(issuer, audience=AUDIENCE)))

    @guard.requires(scope("orders:read"))
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse({"orders of": guard.token(request).subject})

    return orders


def protected_api(issuer: Issuer) -> Starlette:
    """The API of the story: orders, payments for tokens of other kinds, and what is open to all."""

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"healthy": True})

    introspection = Introspection(issuer.client_id, issuer.client_secret)
    provider = Provider(issuer.url, audience=AUDIENCE, introspection=introspection)
    # By the issuer's clock, so that the story can let time pass.
    guard = Guard(ResourceServer(provider, dpop=DPoP(base_url=AUDIENCE), clock=issuer.clock))

    @guard.requires()
    async def payments(request: Request) -> JSONResponse:
        return JSONResponse({"payments of": guard.token(request).subject})

    @guard.requires()
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {guard.token(websocket).subject}")
        await websocket.close()

    return Starlette(
        routes=[
            Route("/orders", orders_of(issuer.url)),
            Route("/payments", payments),
            Route("/health", health),
            WebSocketRoute("/live", live),
        ]
    )


def introduce(console: Console, issuer: Issuer, address: str, client: httpx2.Client) -> None:
    """Say who is there, and show the lines that protect the API and what it answers without a token."""
    console.print(f"\nAn issuer of tokens runs at [bold]{issuer.url}[/],")
    console.print(f"an API that trusts it at [bold]{address}[/]. These lines protect it:\n")
    _, _, lines = inspect.getsource(orders_of).partition('"""\n')
    shown = textwrap.dedent(lines.partition("    return orders\n")[0]).strip()
    console.print(Padding(Syntax(shown, "python", background_color="default"), (0, 2)))
    console.print("\nA request without a token is told what it takes:\n")
    refused = client.get(f"{address}/orders")
    answer = [
        f"HTTP/1.1 {refused.status_code} {refused.reason_phrase}",
        f"WWW-Authenticate: {refused.headers['www-authenticate']}",
        "",
        refused.text,
    ]
    console.print(Padding(Text("\n".join(answer)), (0, 2)))
    console.print("\nNow some others:\n")


@contextmanager
def serve_api(app: Starlette, port: int) -> Generator[str]:
    """Serve the API under uvicorn on loopback; give its address."""
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def story(issuer: Issuer, address: str, client: httpx2.Client) -> Iterator[Row]:
    """The requests, in their order; what happens in between happens between two rows."""

    def get(token: str | None, path: str = "/orders") -> Callable[[], str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return get_with(headers, path)

    def get_with(headers: dict[str, str], path: str = "/orders") -> Callable[[], str]:
        def send() -> str:
            answer = client.get(address + path, headers=headers)
            said = answer.text if answer.status_code == 200 else answer.json()["message"]
            return f"{answer.status_code} {said}"

        return send

    def open_websocket(token: str | None) -> Callable[[], str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}

        def send() -> str:
            try:
                with connect(
                    address.replace("http", "ws") + "/live", additional_headers=headers, proxy=None
                ) as websocket:
                    return f"open, {websocket.recv()!r}"
            except InvalidStatus as refused:
                return f"refused (HTTP {refused.response.status_code})"

        return send

    mine = '200 {"orders of":"test-client"}'
    paid = '200 {"payments of":"ada"}'
    untrusted = "401 The token was not issued by a provider that this API trusts."
    token = request_token(issuer, client)
    yield Row("a token that its client just got", mine, get(token))
    yield Row("the same token once more", mine, get(token))
    yield Row("no token, to a path that is open", '200 {"healthy":true}', get(None, "/health"))
    yield Row("no token", "401 The Authorization header is missing.", get(None))
    yield Row(
        "a token without the scope",
        "403 The token does not have the scope that is needed.",
        get(issuer.token("ada", "orders:write")),
    )
    yield Row("a token that has expired", "401 The token has expired.", get(issuer.expired()))
    yield Row(
        "a token meant for another API",
        "401 The token is meant for another audience.",
        get(issuer.for_another_audience()),
    )
    yield Row("a token of another issuer", untrusted, get(issuer.from_another_issuer()))
    yield Row("a token forged with another key", untrusted, get(issuer.forged()))
    yield Row("a token without signature (alg: none)", untrusted, get(issuer.unsigned()))
    issuer.rotate()
    yield Row("a token under a new key, just rotated", mine, get(request_token(issuer, client)))
    with issuer.outage():
        yield Row("a valid token while the issuer is down", mine, get(token))
    yield Row("a WebSocket with a token", "open, 'hello test-client'", open_websocket(token))
    yield Row("a WebSocket without", "refused (HTTP 401)", open_websocket(None))
    opaque = issuer.opaque_token("ada")
    yield Row("an opaque token: the issuer is asked", paid, get(opaque, "/payments"))
    issuer.revoke(opaque)
    yield Row("the same, revoked a moment ago", paid, get(opaque, "/payments"))
    issuer.clock.advance(REVOCATION_BUDGET)
    yield Row(
        f"the same, {REVOCATION_BUDGET:.0f} seconds later",
        "401 The token is not active: it has expired, was revoked, or was never issued.",
        get(opaque, "/payments"),
    )
    with issuer.outage(path="/introspect"):
        yield Row(
            "a new opaque token while nobody answers questions",
            "503 The token's issuer cannot be asked about it right now.",
            get(issuer.opaque_token(), "/payments"),
        )
    owner = issuer.client("ada", dpop=True)
    proven = owner.headers("GET", f"{AUDIENCE}/payments")
    thief = issuer.client(dpop=True, token=owner.token)
    yield Row("a token that is bound to a key, with a proof", paid, get_with(proven, "/payments"))
    yield Row(
        "the same proof once more",
        "401 The DPoP proof was used before: each is good once.",
        get_with(proven, "/payments"),
    )
    yield Row(
        "the bound token without a proof",
        "401 The DPoP header with the proof is missing.",
        get_with({"Authorization": f"DPoP {owner.token}"}, "/payments"),
    )
    yield Row(
        "the bound token as a bearer token",
        "401 The token is bound to a key, and cannot be used as Bearer.",
        get(owner.token, "/payments"),
    )
    yield Row(
        "the bound token, stolen, with a proof of the thief's key",
        "401 The token is bound to another key than that of the proof.",
        get_with(thief.headers("GET", f"{AUDIENCE}/payments"), "/payments"),
    )


def request_token(issuer: Issuer, client: httpx2.Client) -> str:
    """Get a token as a client gets it: by the client credentials grant (RFC 6749, section 4.4)."""
    answer = client.post(
        issuer.token_endpoint,
        auth=(issuer.client_id, issuer.client_secret),
        data={"grant_type": "client_credentials", "scope": "orders:read"},
    )
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def play(rows: Iterator[Row]) -> tuple[Table, int]:
    """Send every request; return the table, and how many rows came out wrong."""
    table = Table()
    table.add_column("A request with ...", ratio=1)
    table.add_column("is answered", ratio=1)
    table.add_column("ms", justify="right", no_wrap=True)
    failures = 0
    for row in rows:
        began = time.perf_counter()
        came = row.send()
        took = (time.perf_counter() - began) * 1000
        colour = "green" if row.expected.startswith(("200", "open")) else "yellow"
        shown = Text(came, colour)
        if came != row.expected:
            failures += 1
            shown = Text(f"WRONG: {came}, not: {row.expected}", "bold red")
        table.add_row(row.title, shown, f"{took:.1f}")
    return table, failures


def invite(console: Console, issuer: Issuer, address: str) -> None:
    """Say how to go on by hand, and serve until told to stop."""
    get_token = (
        f"TOKEN=$(curl -s -u {issuer.client_id}:{issuer.client_secret} "
        f"-d grant_type=client_credentials {issuer.token_endpoint}"
        " | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])')"
    )
    lines = (
        get_token,
        f'curl -i {address}/orders -H "Authorization: Bearer $TOKEN"',
        f"curl -i {address}/orders",
        f'curl -i {address}/orders -H "Authorization: Bearer ${{TOKEN}}x"',
    )
    console.print("\nBoth go on running. Paste these into another terminal; Ctrl-C ends it:\n")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    try:
        until_interrupted()
    except KeyboardInterrupt:
        console.print("\nStopped.")
