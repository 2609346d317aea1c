"""The `Guard` for Starlette: functions, endpoint classes, WebSockets, and applications as a whole."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket

from bearerguard.asgi import POLICY_VIOLATION, can_deny, deny
from bearerguard.asgi import Guard as ASGIGuard
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import METADATA_METHODS
from bearerguard.logging import current
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

E = TypeVar("E", bound=Callable[..., Any])


class Guard(ASGIGuard):
    """Protects Starlette routes by rules.

    `protect` wraps a whole application, a mounted one, or goes into `add_middleware(guard.protect, ...)`.

    Example:
        >>> guard = Guard(ResourceServer(Provider(...)))  # doctest: +SKIP
        >>> @guard.requires(scope("orders:read"))  # doctest: +SKIP
        ... async def orders(request):
        ...     return JSONResponse({"hello": guard.token(request).subject})
    """

    def requires(self, rule: Rule | None = None) -> Callable[[E], E]:
        """Return a decorator for endpoints: functions of a request or a WebSocket, and endpoint classes.

        Args:
            rule: what the token must fulfil; any sound token by default.
        """
        rule = self.remember(rule)
        return lambda endpoint: self._guarded(endpoint, rule)

    def optional(self) -> Callable[[E], E]:
        """Return a decorator for endpoints that serve requests without a token too; a bad one is refused."""
        return lambda endpoint: self._guarded(endpoint, None)

    def token(self, connection: HTTPConnection) -> AccessToken:
        """Return the verified token of a request.

        Raises:
            LookupError: the route is not protected, or a token is optional there and the request has none.
        """
        token = self.token_or_none(connection)
        if token is None:
            raise LookupError("This request has no verified token: is its route protected?")
        return token

    def token_or_none(self, connection: HTTPConnection) -> AccessToken | None:
        """Return the verified token of a request, or None."""
        token: AccessToken | None = connection.scope.get("bearerguard.token")
        return token

    def install(self, app: Starlette) -> Starlette:  # type: ignore[override]
        """Serve the resource's metadata (RFC 9728) from `app`, where the guard has a `resource`."""
        for path in self.metadata_paths:
            app.router.routes.insert(0, Route(path, self._serve_metadata, methods=METADATA_METHODS))
        return app

    async def _serve_metadata(self, request: Request) -> Response:
        status, headers, body = self.metadata_answer(request.method)
        return Response(body, status, dict(headers))

    # -- endpoints -----------------------------------------------------------------------------------

    def _guarded(self, endpoint: E, rule: Rule | None) -> E:
        guarded: Any
        if inspect.isclass(endpoint):
            guarded = self._guarded_class(endpoint, rule)
        elif inspect.iscoroutinefunction(endpoint):
            guarded = self._guarded_task(endpoint, rule)
        elif inspect.isroutine(endpoint) or isinstance(endpoint, functools.partial):
            guarded = self._guarded_function(endpoint, rule)
        else:
            raise ConfigurationError(
                f"{endpoint!r:.80} is no endpoint: decorate a function or a class, and put an application "
                "behind a rule with protect(app, rule)."
            )
        return cast("E", guarded)

    def _guarded_task(self, endpoint: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            connection = _connection_among(args, kwargs, endpoint)
            try:
                await self._admit(connection, rule)
            except AuthError as error:
                if not isinstance(connection, WebSocket):
                    return self.response(error)
                if can_deny(connection.scope):
                    await connection.send_denial_response(self.response(error))
                else:
                    await connection.close(POLICY_VIOLATION, error.description)
                return None
            return await endpoint(*args, **kwargs)

        return guarded

    def _guarded_function(self, endpoint: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(endpoint)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            # Starlette runs it on a thread, where waiting for keys blocks nobody else.
            connection = _connection_among(args, kwargs, endpoint)
            headers = connection.scope["headers"]
            try:
                token = self.check_optional(headers) if rule is None else self.check(headers, rule)
            except AuthError as error:
                return self.response(error)
            note(connection, token)
            return endpoint(*args, **kwargs)

        return guarded

    def _guarded_class(self, endpoint: type[Any], rule: Rule | None) -> type[Any]:
        if not issubclass(endpoint, HTTPEndpoint | WebSocketEndpoint):
            raise ConfigurationError(f"{endpoint!r} is neither an HTTPEndpoint nor a WebSocketEndpoint.")
        guard = self

        async def dispatch(self: Any) -> None:
            try:
                await guard._admit(HTTPConnection(self.scope), rule)
            except AuthError as error:
                await deny(self.scope, self.send, guard.answer(error), error.description)
                return
            await endpoint.dispatch(self)

        kept = {name: getattr(endpoint, name) for name in ("__module__", "__qualname__", "__doc__")}
        return type(endpoint.__name__, (endpoint,), {**kept, "dispatch": dispatch})

    async def _admit(self, connection: HTTPConnection, rule: Rule | None) -> AccessToken | None:
        """Check a request, and note its token where the application and the logs find it."""
        headers = connection.scope["headers"]
        token = await (self.acheck_optional(headers) if rule is None else self.acheck(headers, rule))
        note(connection, token)
        return token

    def response(self, error: AuthError) -> Response:
        """Return the answer to a refusal as a Starlette response."""
        status, headers, body = self.answer(error)
        return Response(body, status, dict(headers))


def note(connection: HTTPConnection, token: AccessToken | None) -> None:
    """Put a token where the application and the logs find it."""
    connection.scope["bearerguard.token"] = token
    current.set(token)


def _connection_among(
    args: tuple[Any, ...], kwargs: dict[str, Any], endpoint: Callable[..., Any]
) -> HTTPConnection:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, HTTPConnection):
            return argument
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    raise ConfigurationError(f"{name} was called without a request: decorate endpoints only.")
