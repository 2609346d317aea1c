"""What every door of ASGI shares: a scope as a request, an application behind a guard, an answer as messages.

It decides nothing about tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeVar, cast
from urllib.parse import quote

from msgspec import Struct

from bearerguard.answer import Answer
from bearerguard.context import SERVING, Serving
from bearerguard.endpoints import Endpoint
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import BaseGuard, Demand
from bearerguard.request import without_origin

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
M = TypeVar("M", bound=Callable[..., Any])

POLICY_VIOLATION = 1008
"""The close code of a WebSocket that is refused (RFC 6455, section 7.4.1)."""


class ASGIRequest(Struct, gc=False):
    """A scope as the checks see it (`bearerguard.request.Incoming`)."""

    scope: Scope

    @property
    def url(self) -> str | None:
        """None: only the client or a proxy says what the client wrote there."""
        return None

    @property
    def method(self) -> str | None:
        """The method; `GET` for the opening of a WebSocket (RFC 6455, section 4.1)."""
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def target(self) -> bytes | None:
        """Path and query as they were sent."""
        scope = self.scope
        raw = without_origin(scope.get("raw_path") or quote(scope["path"]).encode())
        query: bytes = scope.get("query_string", b"")
        return raw + b"?" + query if query else raw

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate, where the server has ASGI's TLS extension and one was shown."""
        tls = (self.scope.get("extensions") or {}).get("tls") or {}
        chain = tls.get("client_cert_chain") or ()
        if not chain:
            return None
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - only where the server has one

        return PEM_cert_to_DER_cert(chain[0])

    @property
    def peer(self) -> str | None:
        """The address of the other end, as the server says it."""
        client = self.scope.get("client")
        return client[0] if client else None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        found = []
        for field, value in self.scope["headers"]:  # a comprehension would cost a frame more
            if field == name:
                found.append(value)
        return found


def protected(
    guard: BaseGuard, app: App, demand: Demand, public: frozenset[str], path_of: Callable[[Scope], str]
) -> App:
    """Return `app` behind a demand; it finds the token in its scope as `bearerguard.token`.

    Args:
        guard: whose the demand is.
        app: what to protect.
        demand: what every request has to meet.
        public: the exact paths that need no token.
        path_of: returns the path by which the application routes a scope.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if not is_request(scope):
            await app(scope, receive, send)
            return
        with Serving() as request:
            scope[SERVING] = request  # for the guards of routes within
            if not (public and is_public(scope, path_of(scope), public)):
                try:
                    token = await guard.aadmit(ASGIRequest(scope), demand)
                except AuthError as error:
                    await deny(scope, send, guard.answer(error), error.description)
                    return
                scope["bearerguard.token"] = request.token = token
            await app(scope, receive, send)

    return with_endpoints(guard.endpoints, guarded)


def with_endpoints(endpoints: Iterable[Endpoint], app: App) -> App:
    """Return `app` with a guard's endpoints beside it, which need no token."""
    served = by_path(endpoints)

    async def installed(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoint_at(scope, served)
        if endpoint is None:
            await app(scope, receive, send)
        else:
            await respond(send, endpoint.respond(scope["method"]))

    return installed if served else app


def by_path(endpoints: Iterable[Endpoint]) -> Mapping[str, Endpoint]:
    """Return endpoints by their paths."""
    return {endpoint.path: endpoint for endpoint in endpoints}


def endpoint_at(scope: Scope, served: Mapping[str, Endpoint]) -> Endpoint | None:
    """Return the endpoint that a scope asks for, at its path as it is or below the mount, if there is one."""
    if scope["type"] != "http":
        return None
    endpoint = served.get(scope["path"]) or served.get(route_path(scope))
    return endpoint if endpoint is not None and scope["method"] in endpoint.methods else None


def as_function(method: M) -> M:
    """Have a method found as a function, not as a bound method, on which nothing can be set.

    Tracing puts attributes on each middleware that is added.
    """
    return cast("M", _Function(method))


class _Function:
    """What stands in the class for a method that is to be found as a function."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, found_on: object | None, _: type) -> Callable[..., Any]:
        if found_on is None:
            return self._method
        bound = self._method.__get__(found_on)

        @functools.wraps(bound)
        def function(*args: Any, **options: Any) -> Any:
            return bound(*args, **options)

        return function


def is_request(scope: Scope) -> bool:
    """Whether a scope is one to be checked; only `lifespan`, which nobody sends, is not.

    Raises:
        ConfigurationError: it is of a type that did not exist when this was written: nobody could check it.
    """
    kind = scope["type"]
    if kind in ("http", "websocket"):
        return True
    if kind == "lifespan":
        return False
    raise ConfigurationError(
        f"The server opens a scope of type {kind!r:.40}, which cannot be checked here: switch that "
        "protocol off."
    )


def route_path(scope: Scope) -> str:
    """Return the path by which Starlette's router finds a route: below `root_path`, where it stands there.

    Exactly as the router does it: so a mount that a client chose moves public paths and routes alike.
    """
    path: str = scope["path"]
    return below(path, scope.get("root_path", ""))


def below(path: str, mount: str) -> str:
    """Return what is left of a path below a mount; the path itself where it does not stand there."""
    if not mount or not path.startswith(mount):
        return path
    if len(path) == len(mount):
        return ""
    return path[len(mount) :] if path[len(mount)] == "/" else path


def is_public(scope: Scope, path: str, public_paths: frozenset[str]) -> bool:
    """Whether a path is public, and written in a way that no router can read otherwise."""
    if path not in public_paths:
        return False
    raw: bytes = scope.get("raw_path") or b""
    lower = raw.lower()
    return b"%2f" not in lower and b"%5c" not in lower and b"%2e" not in lower


def can_deny(scope: Scope) -> bool:
    """Whether the server can answer the opening of a WebSocket like any other request.

    The extension "WebSocket Denial Response" of ASGI. Without it, a client sees 403 and no reason.
    """
    return "websocket.http.response" in (scope.get("extensions") or {})


async def respond(send: Send, answer: Answer, kind: str = "http.response") -> None:
    """Send an HTTP response."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": answer.body})


async def deny(scope: Scope, send: Send, answer: Answer, reason: str) -> None:
    """Refuse a request with an answer, the opening of a WebSocket too where the server can send one."""
    if scope["type"] == "websocket" and can_deny(scope):
        await respond(send, answer, "websocket.http.response")
    else:
        await answer_or_close(scope, send, answer, reason)


async def answer_or_close(scope: Scope, send: Send, answer: Answer, reason: str) -> None:
    """Refuse a request with an answer; close a WebSocket, for a reason, before it is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
    else:
        await respond(send, answer)
