"""An in-process request through Starlette: bare, behind an inline signature check, behind a middleware.

What a middleware adds is the difference between two cases of the same round. The inline signature is the
least that any middleware can do and still look at the token: find the header, take the token apart, decode,
check. It reads no header, no claim, no clock. The application, the request's headers and the way of calling
are the same for all three.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.cases import Case, Cases, drive, repeating, rotating
from bench.kinds import Kind
from bench.material import COMPARED, Material

OTHER_HEADERS = [
    (b"host", b"api.test"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
]


async def _greet(request: Request) -> Response:
    return PlainTextResponse("hello")


def application() -> Starlette:
    """The application that every case protects, or does not."""
    return Starlette(routes=[Route("/greeting", _greet)])


class SignatureMiddleware:
    """Checks an RS256 signature and nothing else. A floor to measure against; it protects nothing."""

    def __init__(self, app: ASGIApp, key: Any) -> None:
        self._app = app
        self._verify = key.verify
        self._pkcs1 = padding.PKCS1v15()
        self._sha256 = hashes.SHA256()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"authorization":
                    message, _, signature = value[7:].rpartition(b".")
                    decoded = base64.urlsafe_b64decode(signature + b"==")
                    self._verify(decoded, message, self._pkcs1, self._sha256)
                    break
        await self._app(scope, receive, send)


def request_scope(token: str) -> Scope:
    """The ASGI scope of a GET request that carries a token."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/greeting",
        "raw_path": b"/greeting",
        "root_path": "",
        "query_string": b"",
        "headers": [*OTHER_HEADERS, (b"authorization", b"Bearer " + token.encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    if message.get("status", 200) != 200:
        raise RuntimeError(f"the application answered {message['status']}")


def run_through(app: ASGIApp) -> Callable[[list[Scope]], None]:
    """The loop that brings each of a batch of scopes to an application, and forgets it as a server does."""

    def run(batch: list[Scope]) -> None:
        while batch:
            drive(app(batch.pop(), _receive, _send))

    return run


def _case(app: ASGIApp, tokens: Sequence[str], repeat: bool) -> Case:
    run = run_through(app)
    if repeat:
        one = repeating(tokens, lambda items: run([request_scope(item) for item in items]))
        return Case(run, lambda count: [request_scope(token) for token in one(count)])
    endless = rotating(tokens)
    return Case(run, lambda count: [request_scope(token) for token in endless(count)])


def request_cases(material: Material, protected: Callable[[Kind], ASGIApp]) -> Cases:
    """For each kind the bare application, the same behind the inline signature, and behind a middleware.

    Args:
        material: The tokens.
        protected: The application behind a middleware that trusts the provider of a kind.
    """
    found: Cases = {}
    signature = SignatureMiddleware(application(), material.public_key("RS256"))
    for kind in COMPARED:
        tokens = material.tokens(f"RS256.{kind.name}")
        behind = protected(kind)
        found[f"{kind.name} bare"] = _case(application(), tokens, repeat=False)
        found[f"{kind.name} signature"] = _case(signature, tokens, repeat=False)
        found[f"{kind.name} new"] = _case(behind, tokens, repeat=False)
        found[f"{kind.name} repeated"] = _case(behind, tokens, repeat=True)
    return found
