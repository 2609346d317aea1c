"""The doors that hostile input is put through, each made to answer in one form.

To put another one through all tables of this folder, write a function that returns its `Ask`, with the issuer
of `minting` as the one that is trusted, and add it to `DOORS`.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flask
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.authentication import SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from bearerguard import AccessToken, AuthError, asgi, fastapi, starlette, wsgi
from bearerguard import flask as flask_door
from tests.hostile import minting

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
        lines = [b": ".join(one) for one in self.fields]
        return b"\n".join([*lines, self.body]).decode("latin-1")


Ask = Callable[[Fields], Answer]


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        name: what tests call it.
        open: builds it; its result is asked with the header fields of a request.
        without_credentials: the status of its answer where there are none.
        badly_put: the status of its answer where they are not put as RFC 6750 says.
        is_optional: whether a request without credentials goes on to the application, which then refuses it.
        has_challenges: whether its refusals have header fields at all.
        differs: the reason that this door gives in place of the one in a table, by the row's name.
    """

    name: str
    open: Callable[[], Ask]
    without_credentials: int = 401
    badly_put: int = 400
    is_optional: bool = False
    has_challenges: bool = True
    differs: Mapping[str, str] = field(default_factory=dict)

    def ask(self, fields: Fields) -> Answer:
        """The answer to a request with these header fields."""
        return opened(self.open)(fields)


@functools.cache
def opened(build: Callable[[], Ask]) -> Ask:
    return build()


# -- no framework ----------------------------------------------------------------------------------------


def authenticate() -> Ask:
    server = minting.server()
    return lambda fields: outcome(lambda: server.authenticate(fields))


def aauthenticate() -> Ask:
    server = minting.fetching_server()
    return lambda fields: outcome(lambda: run(server.aauthenticate(fields)))


def asgi_guard() -> Ask:
    app = asgi.Guard(minting.server()).protect(application)
    return lambda fields: run(over_http(app, fields))


def wsgi_guard() -> Ask:
    app = wsgi.Guard(minting.server()).protect(wsgi_application)
    return lambda fields: over_wsgi(app, fields)


# -- Starlette and FastAPI -------------------------------------------------------------------------------


def middleware() -> Ask:
    app = starlette.AuthenticateMiddleware(application, server=minting.server())
    return lambda fields: run(over_http(app, fields))


def websocket() -> Ask:
    app = starlette.AuthenticateMiddleware(application, server=minting.server())
    return lambda fields: run(over_websocket(app, fields))


def backend() -> Ask:
    backend = starlette.OAuth2IdTokenBackend(
        minting.issuer.jwks_uri,
        create_user=lambda token, token_body: SimpleUser("someone"),
        scopes=lambda token, token_body: [],
        issuer=minting.ISSUER,
        audience=minting.AUDIENCE,
        clock=minting.issuer.clock,
        transport=minting.issuer.transport,
    )
    authentication = Middleware(AuthenticationMiddleware, backend=backend, on_error=starlette.on_error)

    @requires("someone-who-is-logged-in")
    async def closed(request: Any) -> JSONResponse:
        raise AssertionError("Starlette let it through")

    async def endpoint(request: Any) -> Any:
        return JSONResponse({}) if request.user.is_authenticated else await closed(request)

    app = Starlette(routes=[Route("/", endpoint)], middleware=[authentication])
    return lambda fields: run(over_http(app, fields))


def starlette_guard() -> Ask:
    guard = starlette.Guard(minting.server())

    @guard.requires()
    async def endpoint(request: Any) -> JSONResponse:
        return JSONResponse(dict(guard.token(request).claims))

    app = Starlette(routes=[Route("/", endpoint)])
    return lambda fields: run(over_http(app, fields))


def fastapi_guard() -> Ask:
    guard = fastapi.Guard(minting.server())
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires()])(view)
    return lambda fields: run(over_http(app, fields))


# -- Flask -----------------------------------------------------------------------------------------------


def flask_decorator() -> Ask:
    authenticated = flask_door.requires_authentication(
        minting.issuer.jwks_uri,
        issuer=minting.ISSUER,
        audience=minting.AUDIENCE,
        clock=minting.issuer.clock,
        transport=minting.issuer.transport,
    )
    return flask_app(authenticated(view))


def view() -> dict[str, Any]:
    """Answers whoever gets as far as here, in FastAPI and Flask."""
    return {}


def flask_guard() -> Ask:
    return flask_app(flask_door.Guard(minting.server()).requires()(view))


def flask_app(view: Callable[[], Any]) -> Ask:
    app = flask.Flask("hostile")
    app.testing = True
    app.add_url_rule("/", "view", view)
    return lambda fields: over_wsgi(app.wsgi_app, fields)


# A WSGI server joins fields of one name by commas, so that nobody behind it can tell that there were two.
JOINED = {
    "twice the same": "malformed_header",
    "sound, then bad": "malformed_header",
    "bad, then sound": "malformed_header",
    "sound, then empty": "malformed_header",
    "empty, then sound": "other_scheme",
    "basic, then sound": "other_scheme",
    "a thousand times": "too_large",
}

DOORS = (
    Door("authenticate", authenticate),
    Door("aauthenticate", aauthenticate),
    Door("asgi guard", asgi_guard),
    Door("wsgi guard", wsgi_guard, differs=JOINED),
    Door("middleware", middleware, without_credentials=400),
    Door("websocket", websocket, has_challenges=False),
    Door("backend", backend, without_credentials=403, badly_put=401, is_optional=True),
    Door("starlette guard", starlette_guard),
    Door("fastapi guard", fastapi_guard),
    Door("flask decorator", flask_decorator, badly_put=401, differs=JOINED),
    Door("flask guard", flask_guard, differs=JOINED),
)


# -- what servers do, by hand ----------------------------------------------------------------------------

_loop = asyncio.new_event_loop()
atexit.register(_loop.close)
run = _loop.run_until_complete


def outcome(verify: Callable[[], AccessToken]) -> Answer:
    """A verdict as the answer that it describes."""
    try:
        return Answer(200, body=json.dumps(dict(verify().claims), default=str).encode())
    except AuthError as error:
        fields = [(name.lower().encode(), value.encode("ascii")) for name, value in error.headers()]
        return answer(error.status, fields, error.description.encode())


def answer(status: int, fields: Fields, body: bytes) -> Answer:
    assert all(name == name.lower() and not {*value} & {0, 10, 13} for name, value in fields)
    challenges = tuple(value for name, value in fields if name == b"www-authenticate")
    return Answer(status, challenges, fields, body)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers whoever gets as far as here."""
    assert isinstance(scope["bearerguard.token"], AccessToken)
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def wsgi_application(environ: Any, start_response: Any) -> Iterable[bytes]:
    assert isinstance(environ["bearerguard.token"], AccessToken)
    start_response("200 OK", [])
    return [b"{}"]


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


async def over_http(app: asgi.App, fields: Fields, path: str = "/", **changes: Any) -> Answer:
    """The answer of an ASGI application to one request; fails where its messages are out of order."""
    start, *rest = await messages(app, http_scope(fields, path, **changes))
    assert start["type"] == "http.response.start"
    assert {message["type"] for message in rest} == {"http.response.body"}
    headers = [(bytes(name), bytes(value)) for name, value in start["headers"]]
    return answer(start["status"], headers, b"".join(message.get("body", b"") for message in rest))


async def over_websocket(app: asgi.App, fields: Fields) -> Answer:
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


async def messages(app: asgi.App, scope: dict[str, Any]) -> list[Any]:
    """What an ASGI application sends."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        kind = "websocket.connect" if scope["type"] == "websocket" else "http.request"
        return {"type": kind, "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def over_wsgi(app: Callable[..., Iterable[bytes]], fields: Fields, path: str = "/") -> Answer:
    """The answer of a WSGI application to one request (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "api.test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
    }
    for name, value in fields:
        key = f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(app(environ, lambda *arguments: started.append(arguments)))
    [(status, headers)] = started
    return answer(int(status[:3]), [(n.lower().encode(), v.encode("latin-1")) for n, v in headers], body)
