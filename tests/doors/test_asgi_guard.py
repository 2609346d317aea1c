"""The door for plain ASGI: what is around it, and guards within guards.

What it has in common with every other door is in tests/conformance.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from bearerguard import scope as scopes
from bearerguard.asgi import App, Guard
from bearerguard.context import verified_token
from bearerguard.testing import Issuer


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


async def hello(scope: Any, receive: Any, send: Any) -> None:
    token = scope["bearerguard.token"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": token.provider.name.encode()})


def ask(app: App, token: str | None, **changes: Any) -> tuple[int, bytes]:
    """The status and the body of the answer to a request."""
    sent: list[Any] = []
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, **changes}
        await app(scope, receive, send)

    anyio.run(main)
    return sent[0]["status"], sent[1]["body"]


def test_outside_of_the_guard_nobody_is_named(guard: Guard, issuer: Issuer) -> None:
    seen = []

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        seen.append(verified_token())
        await guard.protect(hello)(scope, receive, send)
        seen.append(verified_token())

    assert [ask(outside, token)[0] for token in (issuer.token(), issuer.forged())] == [200, 401]
    assert seen == [None] * 4


def test_an_error_of_the_application_leaves_nobody_named(guard: Guard, issuer: Issuer) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("mine")

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(KeyError, match="mine"):
            await guard.protect(broken)(scope, receive, send)
        assert verified_token() is None
        await send({"status": 500})
        await send({"body": b""})

    assert ask(outside, issuer.token())[0] == 500


def test_an_application_finds_the_token_of_the_guard_nearest_to_it(issuer: Issuer) -> None:
    outer, inner = (
        Guard(issuer.resource_server(keys=issuer.jwks(), name=name)) for name in ("outer", "inner")
    )
    assert ask(outer.protect(inner.protect(hello)), issuer.token()) == (200, b"inner")


def test_the_inner_of_two_guards_decides_too(guard: Guard, issuer: Issuer) -> None:
    app = guard.protect(guard.requires(scopes("b"))(hello), scopes("a"))
    tokens = [issuer.token(scope=scope) for scope in ("a", "b", "a b")]
    assert [ask(app, token)[0] for token in tokens] == [403, 403, 200]


def test_what_is_neither_request_nor_websocket_passes(guard: Guard) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        await send({"status": 0})
        await send({"body": b""})

    ask(guard.install(guard.protect(app)), None, type="lifespan")
    assert seen == ["lifespan"]
