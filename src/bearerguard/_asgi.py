"""What every door of ASGI shares: a scope as a request, an application behind a guard, an answer as messages.

It decides nothing about tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeVar, cast
from urllib.parse import quote

from msgspec import Struct

from bearerguard._dropped import Protection
from bearerguard._websocket import MOVED, WATCHED, checked_subprotocol, with_websockets
from bearerguard.answer import Answer, Body, json_body
from bearerguard.context import SERVING, Serving
from bearerguard.endpoints import Endpoint, EndpointRequest
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import BaseGuard, Demand, Serves, is_ambiguous
from bearerguard.request import UNQUOTED, without_origin
from bearerguard.server import ResourceServer

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
        """Path and query as they were sent; None where a program asks with less than a whole scope."""
        scope = self.scope
        if "path" not in scope:
            return None
        raw = without_origin(scope.get("raw_path") or quote(scope["path"], safe=UNQUOTED).encode())
        query: bytes = scope.get("query_string", b"")
        return raw + b"?" + query if query else raw

    @property
    def mount(self) -> str:
        """The `root_path` that the server gave; Starlette's routers keep it when they mount something."""
        scope = self.scope
        mount: str = scope.get("app_root_path", scope.get("root_path", ""))
        return mount

    @property
    def notes(self) -> Scope:
        """The scope."""
        return self.scope

    @property
    def route(self) -> str | None:
        """The path of the route, where the framework notes it in the scope before the guard is asked."""
        return getattr(self.scope.get("route"), "path", None)

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate, where the server has ASGI's TLS extension and one was shown."""
        tls = (self.scope.get("extensions") or {}).get("tls") or {}
        leaf = next(iter(tls.get("client_cert_chain") or ()), None)  # the client's own is the first
        if leaf is None:
            return None
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - only where the server has one

        return PEM_cert_to_DER_cert(leaf)

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
    guard: ASGIGuard, app: App, demand: Demand, public: frozenset[str], path_of: Callable[[Scope], str]
) -> App:
    """Return `app` behind a demand; it finds the token in its scope as `bearerguard.token`.

    Args:
        guard: whose the demand is.
        app: what to protect.
        demand: what every request has to meet.
        public: the exact paths that need no token.
        path_of: returns the path by which the application routes a scope.
    """
    protection = Protection()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        protection.has_served = True
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

    return with_endpoints(guard.endpoints, guard.websockets(guarded))


def with_endpoints(endpoints: Iterable[Endpoint], app: App) -> App:
    """Return `app` with a guard's endpoints beside it, which need no token."""
    served = by_path(endpoints)

    async def installed(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoint_at(scope, served)
        if endpoint is None:
            await app(scope, receive, send)
        else:
            await respond(send, await answer_at(endpoint, scope, receive))

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


async def answer_at(endpoint: Endpoint, scope: Scope, receive: Receive) -> Answer:
    """Return the answer of an endpoint to a request."""
    body, is_more = b"", endpoint.max_body > 0
    while is_more and len(body) <= endpoint.max_body:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return await endpoint.aanswer(EndpointRequest(scope["method"], body, kind.decode("latin-1")))


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


class ASGIGuard(BaseGuard):
    """What the guards of all ASGI frameworks have, beside what every guard has.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API, as for every guard.
        realm: a name for the protected space, in every challenge.
        authorization_servers: the issuers that the metadata names, where not those of the server's providers.
        body: what makes the body of a refusal.
        endpoints: what else the guard serves by itself, such as `BackChannelLogout`.
        websocket_subprotocol: the name that stands before a token among the subprotocols of a WebSocket, as
            `"bearer"`: a page of a browser can put it nowhere else. The token is moved to `Authorization`
            before the application sees it, and a name is chosen where the application does not choose one.
            The form of Kubernetes is taken as well.
        close_at_expiry: whether a WebSocket is closed, with the code 4401, once its token has expired, or was
            revoked.

    Raises:
        ConfigurationError: as for every guard, and where the subprotocol is not a name.
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        resource: str | None = None,
        realm: str | None = None,
        authorization_servers: str | Iterable[str] | None = None,
        body: Body = json_body,
        endpoints: Iterable[Endpoint | Serves] = (),
        websocket_subprotocol: str | None = None,
        close_at_expiry: bool = False,
    ) -> None:
        super().__init__(
            server,
            resource=resource,
            realm=realm,
            authorization_servers=authorization_servers,
            body=body,
            endpoints=endpoints,
        )
        self.websocket_subprotocol: str | None = checked_subprotocol(websocket_subprotocol)
        self.close_at_expiry = close_at_expiry

    @as_function
    def websockets(self, app: App) -> App:
        """Return `app` with what the guard promises of its WebSockets; `protect` and `install` do it."""
        if self.websocket_subprotocol is None and not self.close_at_expiry:
            return app
        seconds_left = self._seconds_left if self.close_at_expiry else None
        return with_websockets(
            app, subprotocol=self.websocket_subprotocol, seconds_left=seconds_left, ended=self._ended
        )

    def check_opening(self, scope: Scope) -> None:
        """Check that a WebSocket came through `websockets`, before its token is looked for.

        Raises:
            ConfigurationError: its token, which may stand among the subprotocols, was not looked for there,
                or nobody would close it when its token ends.
        """
        if scope["type"] != "websocket":
            return
        if self.websocket_subprotocol is not None and MOVED not in scope:
            raise _not_installed("takes tokens from subprotocols")
        if self.close_at_expiry and WATCHED not in scope:
            raise _not_installed("closes WebSockets when their tokens end")

    def _seconds_left(self, scope: Scope) -> float | None:
        request: Serving | None = scope.get(SERVING)
        token = None if request is None else request.token
        return None if token is None else self.server.seconds_left(token)

    def _ended(self, scope: Scope) -> str:
        return self.server.ended(scope[SERVING].token).description


def _not_installed(promise: str) -> ConfigurationError:
    return ConfigurationError(
        f"This guard {promise}, and the application does not know: call guard.install(app), or wrap it with "
        "guard.protect(app); to Litestar give it as a plugin."
    )


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
    return path in public_paths and not is_ambiguous(scope.get("raw_path") or b"")


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
