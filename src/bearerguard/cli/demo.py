"""`demo`: a small real issuer, an API that trusts it, and the story of some requests, told as a table.

Everything in it is real but the people: keys, signatures, HTTP on loopback, discovery, a key rotation. It
fails where anything comes out otherwise than it should.
"""

from __future__ import annotations

import argparse
import logging
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bearerguard._extra import extra
from bearerguard.testing import Issuer

with extra("demo"):
    import httpx2
    import uvicorn
    from rich.console import Console
    from rich.table import Table
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    from bearerguard.starlette import AuthenticateMiddleware

__all__ = ["add_to", "run"]

AUDIENCE = "https://orders.example"


@dataclass(frozen=True)
class Row:
    """One request of the story: what is sent, and what must come of it."""

    title: str
    expected: str
    send: Callable[[], str]


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument("--once", action="store_true", help="stop after the table")
    parser.add_argument("--port", type=int, default=0, help="of the API (default: a free one)")


def run(arguments: argparse.Namespace) -> int:
    """Tell the story; return 0 if every row came out as it should, else 1."""
    # The table tells what happened; the log would tell it a second time, in between.
    logging.getLogger("bearerguard").setLevel(logging.CRITICAL)
    console = Console()
    with ExitStack() as stack:
        issuer = stack.enter_context(Issuer(audience=AUDIENCE).serve())
        address = stack.enter_context(serve_api(protected_api(issuer), arguments.port))
        client = stack.enter_context(httpx2.Client(trust_env=False, timeout=10))
        console.print(f"\nAn issuer of tokens runs at [bold]{issuer.url}[/],")
        console.print(f"an API that accepts its tokens at [bold]{address}[/]. Now some requests:\n")
        table, failures = play(story(issuer, address, client))
        console.print(table)
        asked = ", ".join(request.path for request in issuer.requests)
        console.print(f"\nThe issuer was asked for: {asked}.", highlight=False)
        if failures:
            console.print(f"\n[bold red]{failures} of these came out otherwise than they should.[/]")
            return 1
        console.print("\nAll as it should be: only valid tokens came through.")
        if not arguments.once:
            invite(console, issuer, address)
    return 0


def protected_api(issuer: Issuer) -> Starlette:
    """The API of the story: three routes, and the two lines that protect them."""

    async def orders(request: Request) -> JSONResponse:
        claims = request.scope["oauth2-claims"]
        return JSONResponse({"hello": claims["sub"], "orders": ["bread", "salt"]})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"healthy": True})

    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {websocket.scope['oauth2-claims']['sub']}")
        await websocket.close()

    app = Starlette(
        routes=[Route("/orders", orders), Route("/health", health), WebSocketRoute("/live", live)]
    )
    providers = {"demo": {"issuer": issuer.url, "audience": AUDIENCE}}
    app.add_middleware(AuthenticateMiddleware, providers=providers, public_paths={"/health"})
    return app


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

        def send() -> str:
            answer = client.get(address + path, headers=headers)
            message = "" if answer.status_code == 200 else f" {answer.json()['message']}"
            return f"{answer.status_code}{message}"

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

    token = request_token(issuer, client)
    yield Row("a token that its client just got", "200", get(token))
    yield Row("the same token once more", "200", get(token))
    yield Row("no token, to a public path", "200", get(None, "/health"))
    yield Row("no token", "400 The Authorization header is missing.", get(None))
    yield Row("a token that has expired", "401 The token has expired.", get(issuer.expired()))
    yield Row(
        "a token meant for another API",
        "401 The token is meant for another audience.",
        get(issuer.for_another_audience()),
    )
    yield Row(
        "a token of somebody else",
        "401 The token was not issued by a provider that this API trusts.",
        get(issuer.from_another_issuer()),
    )
    yield Row(
        "a token forged with another key",
        "401 The token was not issued by a provider that this API trusts.",
        get(issuer.forged()),
    )
    yield Row(
        "a token without signature (alg: none)",
        "401 The token was not issued by a provider that this API trusts.",
        get(issuer.unsigned()),
    )
    issuer.rotate()
    yield Row("a token under a new key, just rotated", "200", get(request_token(issuer, client)))
    with issuer.outage():
        yield Row("a valid token while the issuer is down", "200", get(token))
    yield Row("a WebSocket with a token", "open, 'hello test-client'", open_websocket(token))
    yield Row("a WebSocket without", "refused (HTTP 403)", open_websocket(None))


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
    table.add_column("A request with ...", ratio=5)
    table.add_column("must be", no_wrap=True)
    table.add_column("was answered", ratio=5)
    table.add_column("in ms", justify="right")
    table.add_column("")
    failures = 0
    for row in rows:
        began = time.perf_counter()
        came = row.send()
        took = (time.perf_counter() - began) * 1000
        right = came == row.expected
        failures += not right
        mark = "[green]ok[/]" if right else f"[bold red]WRONG[/], not: {row.expected}"
        let_in = row.expected.startswith(("200", "open"))
        table.add_row(row.title, "let in" if let_in else "refused", came, f"{took:.1f}", mark)
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
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("\nStopped.")
