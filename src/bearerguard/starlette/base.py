"""What the guards of Starlette and of FastAPI share: tokens of requests, answers, whole applications."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from bearerguard._asgi import App, ASGIRequest, Receive, Scope, Send, as_function, protected, route_path
from bearerguard.answer import Answer
from bearerguard.context import SERVING, Serving, note
from bearerguard.endpoints import Endpoint
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard, Demand, exact_paths
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__ = ["StarletteGuard", "as_response", "begin"]


class StarletteGuard(BaseGuard):
    """Protects applications as a whole; its subclasses know what a route is."""

    @as_function
    def protect(self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = ()) -> App:
        """Return `app` behind the rule: a whole application, or a mounted one.

        Also for `app.add_middleware(guard.protect, rule=..., public_paths=...)`. The guard's endpoints are
        served without a token.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as routes name them: below the mount of the whole.
                An application that routes by the whole path, as Starlette does not, is for
                `bearerguard.asgi.Guard`.
        """
        return protected(self, app, self.demand(rule), exact_paths(public_paths), route_path)

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

    async def admit_scope(self, scope: Scope, demand: Demand) -> AccessToken | None:
        """Check a request, and note its token where the application and the logs find it."""
        begin(scope)
        token = await self.aadmit(ASGIRequest(scope), demand)
        scope["bearerguard.token"] = token
        note(scope, token)
        return token

    def response(self, error: AuthError) -> Response:
        """Return the answer to a refusal as a Starlette response."""
        return as_response(self.answer(error))

    def _follow(self, app: Starlette) -> None:
        """Serve the guard's endpoints from `app`, and have logs follow its requests to their end."""
        routes = app.router.routes
        taken = {route.path for route in routes if isinstance(route, Route) and route.name == _NAME}
        for endpoint in self.endpoints:
            if endpoint.path not in taken:  # of two resources, the first has the path that both have
                methods = list(endpoint.methods)
                routes.insert(0, Route(endpoint.path, _served(endpoint), methods=methods, name=_NAME))
        app.add_middleware(_followed)


_NAME = "bearerguard"
"""Starlette's name of every route of a guard's own."""


def begin(scope: Scope) -> None:
    """Say that a request is being checked: nobody is known to be behind it, until a token is noted.

    Where nobody outside follows the request, it ends with FastAPI's own stack, or with its task; not every
    server lets go of a scope in time, and an application may keep one.
    """
    is_first = SERVING not in scope
    note(scope, None)
    if not is_first:
        return
    request: Serving = scope[SERVING]
    stack = scope.get("fastapi_middleware_astack")
    if isinstance(stack, AsyncExitStack):
        stack.callback(request.end)
        return
    found = weakref.ref(request)  # the task may go on to other requests, and is not to keep this one

    def end(_: object) -> None:
        served = found()
        if served is not None:
            served.end()

    try:
        task = asyncio.current_task()
    except RuntimeError:  # another event loop
        return
    if task is not None:
        task.add_done_callback(end)


def as_response(answer: Answer) -> Response:
    """Return an answer as a Starlette response."""
    response = Response(answer.body, answer.status)
    # One by one: a dict would keep one of two challenges.
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    ]
    return response


def _served(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return as_response(endpoint.respond(request.method))

    return serve


def _followed(app: App) -> App:
    """Tell `bearerguard.context` when a request begins, with nobody behind it yet, and when it ends."""

    async def followed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or SERVING in scope:
            await app(scope, receive, send)
            return
        with Serving() as request:
            scope[SERVING] = request
            await app(scope, receive, send)

    return followed
