"""The doors of Starlette, each in one of the ways of its framework."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from bearerguard import starlette
from bearerguard.guard import BaseGuard
from tests.doors_under_test.door import METHODS, Api, Door
from tests.doors_under_test.exchange import ask_asgi


class StarletteDoor(Door):
    ask = staticmethod(ask_asgi)
    guard: ClassVar[type[BaseGuard] | None] = starlette.Guard

    def decorator(self, guard: Any, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


async def websocket_view(api: Api, guard: Any, websocket: Any) -> None:
    await api.enter_async("/ws")
    await websocket.accept()
    await websocket.send_json(api.content(guard.token_or_none(websocket)))


class AsyncFunction(StarletteDoor):
    name = "starlette async function"
    has_websockets = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        decorate = self.decorator(guard, api)

        async def view(request: HTTPConnection) -> JSONResponse:
            await api.enter_async(request.url.path)
            return JSONResponse(api.content(guard.token_or_none(request)))

        async def opened(websocket: Any) -> None:
            await websocket_view(api, guard, websocket)

        home, health = Route("/", decorate(view), methods=METHODS), Route("/health", view)
        return guard.install(Starlette(routes=[home, health, WebSocketRoute("/ws", decorate(opened))]))


class Function(StarletteDoor):
    name = "starlette function"

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        def view(request: HTTPConnection) -> JSONResponse:
            api.enter(request.url.path)
            return JSONResponse(api.content(guard.token_or_none(request)))

        home = Route("/", self.decorator(guard, api)(view), methods=METHODS)
        return guard.install(Starlette(routes=[home, Route("/health", view)]))


class Class(StarletteDoor):
    name = "starlette class"
    has_websockets = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        decorate = self.decorator(guard, api)

        class Open(HTTPEndpoint):
            async def get(self, request: HTTPConnection) -> JSONResponse:
                await api.enter_async(request.url.path)
                return JSONResponse(api.content(guard.token_or_none(request)))

            post = get

        @decorate
        class Closed(Open):
            pass

        @decorate
        class Opened(WebSocketEndpoint):
            async def on_connect(self, websocket: Any) -> None:
                await websocket_view(api, guard, websocket)

        routes = [Route("/", Closed), Route("/health", Open), WebSocketRoute("/ws", Opened)]
        return guard.install(Starlette(routes=routes))


def open_starlette(api: Api, prefix: str = "") -> list[Any]:
    """The routes of the API without any protection of their own."""

    async def view(request: HTTPConnection) -> JSONResponse:
        await api.enter_async(request.url.path.removeprefix(prefix))
        return JSONResponse(api.content(request.scope.get("bearerguard.token")))

    async def opened(websocket: Any) -> None:
        await api.enter_async("/ws")
        await websocket.accept()
        await websocket.send_json(api.content(websocket.scope["bearerguard.token"]))

    home = Route("/", view, methods=METHODS)
    return [home, Route("/health", view), WebSocketRoute("/ws", opened)]


class GuardAsMiddleware(StarletteDoor):
    name = "starlette middleware"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        app = Starlette(routes=open_starlette(api))
        app.add_middleware(guard.protect, rule=api.rule, public_paths={"/health"})
        return guard.install(app)


class GuardAroundMount(StarletteDoor):
    name = "starlette mount"
    mount = "/v1"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        mounted = Starlette(routes=open_starlette(api, self.mount))
        routes = [Mount(self.mount, guard.protect(mounted, api.rule, {"/health"}))]
        return guard.install(Starlette(routes=routes))


class Authenticate(StarletteDoor):
    name = "starlette AuthenticateMiddleware"
    guard = None
    has_optional = False
    has_websockets = True
    is_whole = True
    without_credentials = 400

    def app(self, guard: Any, api: Api) -> Any:
        protected = Middleware(starlette.AuthenticateMiddleware, server=guard, public_paths={"/health"})
        return Starlette(routes=open_starlette(api), middleware=[protected])
