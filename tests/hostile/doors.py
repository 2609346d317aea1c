"""The doors that hostile input is put through, each made to answer in one form.

To put another framework through all tables of this folder, write a function that takes a `ResourceServer` and
header fields and returns an `Answer`, and add it to `DOORS`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bearerguard import AccessToken, AuthError, ResourceServer
from bearerguard.asgi import App
from bearerguard.starlette import AuthenticateMiddleware

Fields = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """What a client sees. `challenges` are the values of all `WWW-Authenticate` fields, as sent."""

    status: int
    challenges: tuple[bytes, ...] = ()
    fields: Fields = ()
    body: bytes = b""

    @property
    def text(self) -> str:
        """All that was sent, to be searched."""
        return "\n".join(
            part.decode("latin-1") for part in (*(b": ".join(one) for one in self.fields), self.body)
        )


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        name: what tests call it.
        ask: puts a request with these header fields to a server.
        without_credentials: the status of its answer where there are none.
        has_challenges: whether its refusals have header fields at all.
        differs: the reason that this door gives in place of the one in a table, by the row's name.
    """

    name: str
    ask: Callable[[ResourceServer, Fields], Answer]
    without_credentials: int = 401
    has_challenges: bool = True
    differs: Mapping[str, str] = field(default_factory=dict)


def refused(error: AuthError) -> Answer:
    """An error as the answer that it describes."""
    fields = [(name.lower().encode(), value.encode("ascii")) for name, value in error.headers()]
    challenges = tuple(value for name, value in fields if name == b"www-authenticate")
    return Answer(error.status, challenges, fields, error.description.encode())


def accepted(token: AccessToken) -> Answer:
    """What the application would say."""
    return Answer(200, body=json.dumps(dict(token.claims), default=str).encode())


def authenticate(server: ResourceServer, fields: Fields) -> Answer:
    try:
        return accepted(server.authenticate(fields))
    except AuthError as error:
        return refused(error)


def aauthenticate(server: ResourceServer, fields: Fields) -> Answer:
    try:
        return accepted(asyncio.run(server.aauthenticate(fields)))
    except AuthError as error:
        return refused(error)


def middleware(server: ResourceServer, fields: Fields) -> Answer:
    return asyncio.run(over_http(AuthenticateMiddleware(application, server=server), fields))


def websocket(server: ResourceServer, fields: Fields) -> Answer:
    return asyncio.run(over_websocket(AuthenticateMiddleware(application, server=server), fields))


DOORS = (
    Door("authenticate", authenticate),
    Door("aauthenticate", aauthenticate),
    Door("middleware", middleware, without_credentials=400),
    Door("websocket", websocket, has_challenges=False),
)


# -- ASGI, by hand: what a server would send, and what it would make of the messages ---------------------


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers whoever gets as far as here."""
    body = json.dumps(scope["oauth2-claims"], default=str).encode()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def http_scope(fields: Fields, path: str = "/", **changes: Any) -> dict[str, Any]:
    """The scope of a GET request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(fields),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **changes,
    }


async def over_http(app: App, fields: Fields, path: str = "/", **changes: Any) -> Answer:
    """The answer of an ASGI application to one request; fails where its messages are out of order."""
    sent = await messages(app, http_scope(fields, path, **changes))
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert [message["type"] for message in rest] == ["http.response.body"]
    headers = [(bytes(name), bytes(value)) for name, value in start["headers"]]
    assert all(name == name.lower() and b"\n" not in value for name, value in headers)
    challenges = tuple(value for name, value in headers if name == b"www-authenticate")
    return Answer(start["status"], challenges, headers, rest[0]["body"])


async def over_websocket(app: App, fields: Fields) -> Answer:
    """The same for the opening of a WebSocket: 200 where it is accepted, else 403, as servers make of it."""
    scope = {**http_scope(fields), "type": "websocket", "scheme": "ws", "subprotocols": []}
    del scope["method"]
    sent = await messages(app, scope)
    assert len(sent) == 1
    if sent[0]["type"] == "websocket.accept":
        return Answer(200)
    assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)
    reason = sent[0].get("reason", "").encode()
    assert len(reason) <= 123, "a control frame has no room for more (RFC 6455, section 5.5)"
    return Answer(403, body=reason)


async def messages(app: App, scope: dict[str, Any]) -> list[Any]:
    """What an ASGI application sends."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        kind = "websocket.connect" if scope["type"] == "websocket" else "http.request"
        return {"type": kind, "body": b"", "more_body": False}

    def send(message: Any) -> Awaitable[None]:
        sent.append(message)
        return asyncio.sleep(0)

    await app(scope, receive, send)
    return sent
