"""The `Guard` for aiohttp: functions, methods, classes of views, and applications as a whole."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, cast

from aiohttp import web

from bearerguard._websocket import NAP, TOKEN_EXPIRED
from bearerguard.aiohttp.request import TOKEN, AiohttpRequest, as_response
from bearerguard.answer import Body, json_body
from bearerguard.context import Serving
from bearerguard.endpoints import Endpoint, EndpointRequest
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import BaseGuard, Demand, Serves, exact_paths, is_ambiguous
from bearerguard.rules import Rule
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken

__all__ = ["Guard"]

H = TypeVar("H", bound=Callable[..., Any])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard(BaseGuard):
    """Protects aiohttp's handlers by rules.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API, as for every guard.
        realm: a name for the protected space, in every challenge.
        authorization_servers: the issuers that the metadata names, where not those of the server's providers.
        body: what makes the body of a refusal.
        endpoints: what else the guard serves by itself, such as `BackChannelLogout`.
        close_at_expiry: whether a WebSocket is closed, with the code 4401, once its token has expired, or was
            revoked. The guard has to be installed in the application.

    Raises:
        ConfigurationError: as for every guard.

    Examples:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))


        @guard.requires(scope("orders:read"))
        async def orders(request):
            return web.json_response({"hello": guard.token(request).subject})
        ```
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
        self.close_at_expiry = close_at_expiry

    def requires(self, rule: Rule | None = None) -> Callable[[H], H]:
        """Return a decorator for handlers: functions, methods, and `web.View` classes or their methods.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        demand = self.demand(rule)
        return lambda handler: self._behind(handler, demand)

    def optional(self) -> Callable[[H], H]:
        """Return a decorator for handlers that serve requests without a token too; a bad one is refused."""
        demand = self.demand(optional=True)
        return lambda handler: self._behind(handler, demand)

    def middleware(self, rule: Rule | None = None, *, public_paths: Iterable[str] = ()) -> Any:
        """Return a middleware that puts a whole application, or a sub-application, behind a rule.

        The guard's endpoints need no token, nor do preflights of browsers (CORS).

        Args:
            rule: what tokens must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as the server sees them.
        """
        demand, public = self.demand(rule), exact_paths(public_paths)

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if _is_public(request, public) or getattr(request.match_info.handler, _IS_ENDPOINT, False):
                return await handler(request)
            return await self._serve(request, demand, functools.partial(handler, request))

        return guarded

    def install(self, app: web.Application) -> web.Application:
        """Serve the guard's endpoints from `app`: the resource's metadata, where the guard has a `resource`.

        The application then does not start where a decorator of this guard stands above that of a route. With
        `close_at_expiry`, the guard also sees to the WebSockets of the application.
        """
        app.on_startup.append(self._check_handlers)
        for endpoint in self.endpoints:
            serve = _served(endpoint)
            for method in endpoint.methods:
                app.router.add_route(method, endpoint.path, serve)
        if self.close_at_expiry:
            app.on_response_prepare.append(self._watch)
        return app

    def token(self, request: web.BaseRequest) -> AccessToken:
        """Return the verified token of a request.

        Raises:
            LookupError: the handler is not guarded, or a token is optional there and the request has none.
        """
        token = self.token_or_none(request)
        if token is None:
            raise LookupError("This request has no verified token: is its handler guarded?")
        return token

    def token_or_none(self, request: web.BaseRequest) -> AccessToken | None:
        """Return the verified token of a request, or None."""
        return request.get(TOKEN)

    # -- handlers ------------------------------------------------------------------------------------

    def _behind(self, handler: H, demand: Demand) -> H:
        guarded: Any
        if inspect.isclass(handler):
            guarded = self._class_behind(handler, demand)
        elif callable(handler):
            guarded = self._function_behind(handler, demand)
        else:
            raise ConfigurationError(
                f"{handler!r:.80} is not a handler: decorate functions, methods and web.View classes; for a "
                "whole application, add guard.middleware(rule) to its middlewares."
            )
        self._stands_below(handler)
        return cast("H", guarded)

    async def _check_handlers(self, app: web.Application) -> None:
        self._check_served((route.handler for route in app.router.routes()), "@routes.get(...)")

    def _function_behind(self, handler: Callable[..., Any], demand: Demand) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> web.StreamResponse:
            request = _request_among(args, handler)
            return await self._serve(request, demand, functools.partial(handler, *args, **kwargs))

        return guarded

    def _class_behind(self, view: type[Any], demand: Demand) -> type[Any]:
        if not issubclass(view, web.View):
            raise ConfigurationError(f"{view!r} is not a web.View: decorate functions and web.View classes.")
        guard = self

        # What aiohttp awaits, whatever the class and its subclasses make of the methods.
        def __await__(view: Any) -> Any:  # noqa: N807 - a name of Python's
            return guard._serve(view.request, demand, lambda: _Awaited(guarded, view)).__await__()

        kept = {name: getattr(view, name) for name in ("__module__", "__qualname__", "__doc__")}
        guarded: Any = type(view.__name__, (view,), {**kept, "__await__": __await__})
        return cast("type[Any]", guarded)

    async def _serve(
        self, request: web.Request, demand: Demand, enter: Callable[[], Awaitable[Any]]
    ) -> web.StreamResponse:
        """Check a request, and serve it or answer the refusal."""
        if _is_preflight(request):
            if request.match_info.route.method == "OPTIONS":  # somebody answers such questions
                return cast("web.StreamResponse", await enter())
            return web.Response(status=204)
        if self.close_at_expiry:
            self._check_installed(request)
        with Serving() as serving:
            try:
                serving.token = await self.aadmit(AiohttpRequest(request), demand)
            except AuthError as error:
                return as_response(self.answer(error))
            request[TOKEN] = serving.token
            return cast("web.StreamResponse", await enter())

    # -- WebSockets ----------------------------------------------------------------------------------

    def _check_installed(self, request: web.Request) -> None:
        """Check that somebody closes a WebSocket when its token ends, before it opens.

        Raises:
            ConfigurationError: the guard is installed in none of the applications that serve the request.
        """
        opens = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        if opens and not any(self._watch in app.on_response_prepare for app in request.match_info.apps):
            raise ConfigurationError(
                "This guard closes WebSockets when their tokens end, and the application does not know: call "
                "guard.install(app)."
            )

    async def _watch(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have a WebSocket closed when its token ends; aiohttp calls it when the response begins."""
        token = request.get(TOKEN)
        if token is None or not isinstance(response, web.WebSocketResponse):
            return
        closing = asyncio.create_task(self._close_later(response, token))
        served = request.task
        served.add_done_callback(lambda _: closing.cancel())

    async def _close_later(self, socket: web.WebSocketResponse, token: AccessToken) -> None:
        while not socket.closed:
            left = self.server.seconds_left(token)
            if left is None:
                return
            if left <= 0:
                said = self.server.ended(token).description
                await socket.close(code=TOKEN_EXPIRED, message=said.encode())
                return
            await asyncio.sleep(min(left, NAP))  # the clock may be set, and sleep is not by it


class _Awaited:
    """A view as the class behind a guarded one serves it."""

    def __init__(self, guarded: type[Any], view: Any) -> None:
        self._view: Any = super(guarded, view)

    def __await__(self) -> Any:
        return self._view.__await__()


_IS_ENDPOINT = "bearerguard_endpoint"


def _served(endpoint: Endpoint) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        body, limit = b"", endpoint.max_body + 1 if endpoint.max_body else 0
        while len(body) < limit and (chunk := await request.content.read(limit - len(body))):
            body += chunk
        kind = request.headers.get("Content-Type", "")
        return as_response(await endpoint.aanswer(EndpointRequest(request.method, body, kind)))

    setattr(serve, _IS_ENDPOINT, True)
    return serve


def _is_public(request: web.Request, public: frozenset[str]) -> bool:
    """Whether a path is public, and aiohttp's router reads it no otherwise: it keeps an encoded slash."""
    if request.path not in public:
        return False
    target = AiohttpRequest(request).target or b""
    return not is_ambiguous(target.partition(b"?")[0])


def _is_preflight(request: web.Request) -> bool:
    """Whether a browser asks what it may send, which it does without credentials (Fetch, CORS preflight)."""
    headers = request.headers
    return (
        request.method == "OPTIONS"
        and "Origin" in headers
        and "Access-Control-Request-Method" in headers
        and "Authorization" not in headers
    )


def _request_among(args: tuple[Any, ...], handler: Callable[..., Any]) -> web.Request:
    for argument in reversed(args):
        if isinstance(argument, web.Request):
            return argument
        if isinstance(argument, web.View):
            return argument.request
    name = getattr(handler, "__qualname__", repr(handler))
    raise ConfigurationError(f"{name} was called without a request: decorate only handlers.")
