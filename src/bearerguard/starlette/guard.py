"""The `Guard` for Starlette: functions, endpoint classes, WebSockets, and applications as a whole."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from bearerguard._asgi import POLICY_VIOLATION, can_deny, deny
from bearerguard.context import SERVING
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import Demand
from bearerguard.rules import Rule
from bearerguard.starlette.base import StarletteGuard
from bearerguard.starlette.serving import end_with

__all__ = ["Guard"]

E = TypeVar("E", bound=Callable[..., Any])


class Guard(StarletteGuard):
    """Protects Starlette routes by rules.

    `protect` wraps a whole application, a mounted one, or goes into `add_middleware(guard.protect, ...)`.

    Examples:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))


        @guard.requires(scope("orders:read"))
        async def orders(request):
            return JSONResponse({"hello": guard.token(request).subject})
        ```
    """

    def requires(self, rule: Rule | None = None) -> Callable[[E], E]:
        """Return a decorator for endpoints: functions of a request or a WebSocket, and endpoint classes.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        demand = self.demand(rule)
        return lambda endpoint: self._guarded_endpoint(endpoint, demand)

    def optional(self) -> Callable[[E], E]:
        """Return a decorator for endpoints that serve requests without a token too; a bad one is refused."""
        demand = self.demand(optional=True)
        return lambda endpoint: self._guarded_endpoint(endpoint, demand)

    def install(self, app: Starlette) -> Starlette:
        """Serve the guard's endpoints from `app`, and have logs and traces follow its requests to their end.

        The endpoints are the resource's metadata (RFC 9728), where the guard has a `resource`.
        """
        self._follow(app)
        return app

    # -- endpoints -----------------------------------------------------------------------------------

    def _guarded_endpoint(self, endpoint: E, demand: Demand) -> E:
        guarded: Any
        if inspect.isclass(endpoint):
            guarded = self._guarded_class(endpoint, demand)
        elif inspect.isroutine(endpoint) or isinstance(endpoint, functools.partial):
            guarded = self._guarded_function(endpoint, demand)
        else:
            raise ConfigurationError(
                f"{endpoint!r:.80} is not an endpoint: decorate a function or a class, and put an "
                "application behind a rule with protect(app, rule)."
            )
        return cast("E", guarded)

    def _guarded_function(self, endpoint: Callable[..., Any], demand: Demand) -> Callable[..., Any]:
        is_async = inspect.iscoroutinefunction(endpoint)

        @functools.wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            connection = _connection_among(args, kwargs, endpoint)
            scope = connection.scope
            is_followed = SERVING in scope
            try:
                await self.admit_scope(scope, demand)
            except AuthError as error:
                if not isinstance(connection, WebSocket):
                    return self.response(error)
                if can_deny(scope):
                    await connection.send_denial_response(self.response(error))
                else:
                    await connection.close(POLICY_VIOLATION, error.description)
                return None
            made = await (
                endpoint(*args, **kwargs) if is_async else run_in_threadpool(endpoint, *args, **kwargs)
            )
            if not is_followed:
                end_with(made, scope[SERVING])
            return made

        return guarded

    def _guarded_class(self, endpoint: type[Any], demand: Demand) -> type[Any]:
        if not issubclass(endpoint, HTTPEndpoint | WebSocketEndpoint):
            raise ConfigurationError(f"{endpoint!r} is neither an HTTPEndpoint nor a WebSocketEndpoint.")
        guard = self

        async def served(endpoint: Any) -> None:
            scope = endpoint.scope
            is_followed = SERVING in scope
            try:
                await guard.admit_scope(scope, demand)
            except AuthError as error:
                await deny(scope, endpoint.send, guard.answer(error), error.description)
                return
            await _Unguarded(guarded, endpoint)
            if not is_followed:
                scope[SERVING].end()

        # What Starlette awaits, and not `dispatch`: a subclass may well have one of its own.
        def __await__(self: Any) -> Generator[Any, None, None]:  # noqa: N807 - a name of Python's
            return served(self).__await__()

        kept = {name: getattr(endpoint, name) for name in ("__module__", "__qualname__", "__doc__")}
        guarded = type(endpoint.__name__, (endpoint,), {**kept, "__await__": __await__})
        return guarded


class _Unguarded:
    """An endpoint as the class behind a guarded one serves it."""

    def __init__(self, guarded: type[Any], endpoint: Any) -> None:
        self._endpoint: Any = super(guarded, endpoint)

    def __await__(self) -> Generator[Any, None, None]:
        awaited: Generator[Any, None, None] = self._endpoint.__await__()
        return awaited


def _connection_among(
    args: tuple[Any, ...], kwargs: dict[str, Any], endpoint: Callable[..., Any]
) -> HTTPConnection:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, HTTPConnection):
            return argument
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    raise ConfigurationError(f"{name} was called without a request: decorate only endpoints.")
