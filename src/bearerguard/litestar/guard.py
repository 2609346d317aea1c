"""The `Guard` for Litestar: a plugin, and rules as guards of handlers, controllers, routers, applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler, asgi
from litestar.plugins import InitPlugin
from litestar.plugins.base import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from bearerguard._asgi import (
    App,
    ASGIGuard,
    ASGIRequest,
    Receive,
    Scope,
    Send,
    answer_at,
    deny,
    respond,
)
from bearerguard.context import SERVING, Serving, begin
from bearerguard.endpoints import Endpoint
from bearerguard.errors import AuthError
from bearerguard.guard import Demand
from bearerguard.litestar.document import describe, with_schemes
from bearerguard.litestar.refusal import RefusedOpening, RefusedRequest, answered
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__ = ["Guard"]

Connection = ASGIConnection[Any, Any, Any, Any]
Check = Callable[[Connection, BaseRouteHandler], Awaitable[None]]

_REFUSED = "bearerguard.refused"
"""In the scope of a WebSocket whose opening was refused."""
_ENDPOINT = "bearerguard.endpoint"
"""In the `opt` of a handler that serves what needs no token, whatever guards the layers above have."""


class Guard(ASGIGuard, InitPlugin, ReceiveRoutePlugin):
    """Protects Litestar's handlers by rules; a handler finds the token as `request.auth`.

    As a plugin it has refusals answered as it says, serves its endpoints, describes the security of each
    handler in the document, and has logs and traces follow requests to their end.

    Examples:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))


        @get("/orders", guards=[guard.requires(scope("orders:read"))])
        async def orders(request: Request) -> dict[str, str]:
            return {"hello": request.auth.subject}


        app = Litestar([orders], plugins=[guard])
        ```
    """

    def requires(self, rule: Rule | None = None) -> Check:
        """Return a guard for `guards=[...]` of a handler, a controller, a router or an application.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        return _Required(self, self.demand(rule))

    def optional(self) -> Check:
        """Return a guard that lets requests without a token pass, with `request.auth` None.

        A bad token is refused.
        """
        return _Required(self, self.demand(optional=True))

    def token(self, connection: Connection) -> AccessToken:
        """Return the verified token of a request.

        Raises:
            LookupError: the handler is not guarded, or a token is optional there and the request has none.
        """
        token = self.token_or_none(connection)
        if token is None:
            raise LookupError("This request has no verified token: is its handler guarded?")
        return token

    def token_or_none(self, connection: Connection) -> AccessToken | None:
        """Return the verified token of a request, or None."""
        token: AccessToken | None = connection.scope.get("bearerguard.token")  # type: ignore[assignment] # our own key
        return token

    async def admit_scope(self, scope: Scope, demand: Demand) -> None:
        """Check a request, and note its token where the application and the logs find it.

        Raises:
            RefusedRequest: the request does not meet the demand.
            RefusedOpening: likewise, where it opens a WebSocket.
        """
        self.check_opening(scope)
        request: Serving | None = scope.get(SERVING)
        if request is None or request.is_over:
            request = begin(scope)
        scope["auth"] = scope["bearerguard.token"] = request.token = None
        try:
            token = await self.aadmit(ASGIRequest(scope), demand)
        except AuthError as error:
            if scope["type"] != "websocket":
                raise RefusedRequest(error, self.answer(error)) from error
            # Litestar closes the WebSocket itself, and says less than an answer does.
            scope[_REFUSED] = refused = RefusedOpening(error, self.answer(error))
            raise refused from error
        scope["auth"] = scope["bearerguard.token"] = request.token = token

    # -- as a plugin ---------------------------------------------------------------------------------

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Install the guard in an application; Litestar calls it."""
        handlers: Any = app_config.exception_handlers
        handlers.setdefault(RefusedRequest, answered)
        app_config.route_handlers = [
            *app_config.route_handlers,
            *(_served(endpoint) for endpoint in self.endpoints),
        ]
        app_config.middleware = [self.websockets, _followed, *app_config.middleware]
        if app_config.openapi_config is not None:
            app_config.openapi_config = with_schemes(app_config.openapi_config, self.server)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Describe the security of a route's handlers; Litestar calls it for each route."""
        if not isinstance(route, HTTPRoute):
            return
        for handler in route.route_handlers:
            demands = [one.demand for one in handler.resolve_guards() if isinstance(one, _Required)]
            if demands:
                _describe_once(handler, demands, self)


def _describe_once(handler: HTTPRouteHandler, demands: list[Demand], guard: Guard) -> None:
    if not handler.opt.get(_DESCRIBED):
        handler.opt[_DESCRIBED] = True
        describe(handler, demands, guard)


_DESCRIBED = "bearerguard.described"


class _Required:
    """A demand as a guard of Litestar's."""

    def __init__(self, guard: Guard, demand: Demand) -> None:
        self.guard = guard
        self.demand = demand

    def __deepcopy__(self, _: Any) -> _Required:
        return self  # a router copies its handlers, and there is only one server

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        if not handler.opt.get(_ENDPOINT):
            await self.guard.admit_scope(connection.scope, self.demand)  # type: ignore[arg-type] # a typed dict


def _followed(app: App) -> App:
    """Tell `bearerguard.context` when a request begins and ends; have refused WebSockets answered."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        async def answering(message: Any) -> None:
            refused: RefusedOpening | None = scope.get(_REFUSED)
            if refused is None or message["type"] != "websocket.close":
                await send(message)
            else:
                await deny(scope, send, refused.answer, refused.detail)

        with Serving() as request:
            scope[SERVING] = request
            await app(scope, receive, answering if scope["type"] == "websocket" else send)

    return noted


def _served(endpoint: Endpoint) -> Any:
    """A handler for what a guard serves by itself."""

    @asgi(endpoint.path, opt={_ENDPOINT: True}, copy_scope=False)
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if (scope.get("raw_path") or b"").endswith(b"/"):  # Litestar takes it for the path without
            raise NotFoundException
        if scope["method"] not in endpoint.methods:
            raise MethodNotAllowedException(headers={"Allow": ", ".join(endpoint.methods)})
        await respond(send, await answer_at(endpoint, scope, receive))

    return serve
