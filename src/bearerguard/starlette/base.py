"""What the guards of Starlette and of FastAPI share: tokens of requests, answers, whole applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from bearerguard._asgi import (
    App,
    ASGIGuard,
    ASGIRequest,
    Scope,
    answer_at,
    as_function,
    protected,
    route_path,
)
from bearerguard.answer import Answer
from bearerguard.endpoints import Endpoint
from bearerguard.errors import AuthError
from bearerguard.guard import Demand, exact_paths
from bearerguard.rules import Rule
from bearerguard.starlette.serving import begin, followed
from bearerguard.token import AccessToken

__all__ = ["StarletteGuard", "as_response"]


class StarletteGuard(ASGIGuard):
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
        self.check_opening(scope)
        request = begin(scope)
        token = await self.aadmit(ASGIRequest(scope), demand)
        scope["bearerguard.token"] = request.token = token
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
        app.add_middleware(followed)
        if self.websocket_subprotocol is not None or self.close_at_expiry:
            app.add_middleware(self.websockets)


_NAME = "bearerguard"
"""Starlette's name of every route of a guard's own."""


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
        return as_response(await answer_at(endpoint, request.scope, request.receive))

    return serve
