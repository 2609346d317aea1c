"""The doors of ASGI: plain, Starlette's and FastAPI's, each in the way of its framework."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import fastapi as fastapi_framework
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from bearerguard import AccessToken, asgi, fastapi, starlette
from bearerguard.guard import BaseGuard
from tests.conformance.door import METHODS, Api, Door
from tests.conformance.exchange import ask_asgi


class PlainASGI(Door):
    name = "asgi"
    guard = asgi.Guard
    ask = staticmethod(ask_asgi)
    has_websockets = True
    is_whole = True

    def app(self, guard: asgi.Guard, api: Api) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await api.enter_async(scope["path"])
            content = JSONResponse(api.content(scope.get("bearerguard.token")))
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": bytes(content.body).decode()})
            else:
                await content(scope, receive, send)

        if api.optional:
            return guard.install(guard.optional()(app))
        return guard.install(guard.protect(app, api.rule, {"/health"}))


class StarletteDoor(Door):
    ask = staticmethod(ask_asgi)
    guard: ClassVar[type[BaseGuard] | None] = starlette.Guard

    def decorator(self, guard: Any, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


async def websocket_view(api: Api, guard: Any, websocket: Any) -> None:
    await api.enter_async("/ws")
    await websocket.accept()
    await websocket.send_json(api.content(guard.token_or_none(websocket)))


class StarletteAsyncFunction(StarletteDoor):
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


class StarletteFunction(StarletteDoor):
    name = "starlette function"

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        def view(request: HTTPConnection) -> JSONResponse:
            api.enter(request.url.path)
            return JSONResponse(api.content(guard.token_or_none(request)))

        home = Route("/", self.decorator(guard, api)(view), methods=METHODS)
        return guard.install(Starlette(routes=[home, Route("/health", view)]))


class StarletteClass(StarletteDoor):
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


class StarletteMiddleware(StarletteDoor):
    name = "starlette middleware"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        app = Starlette(routes=open_starlette(api))
        app.add_middleware(guard.protect, rule=api.rule, public_paths={"/health"})
        return guard.install(app)


class StarletteMount(StarletteDoor):
    name = "starlette mount"
    mount = "/v1"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        mounted = Starlette(routes=open_starlette(api, self.mount))
        routes = [Mount(self.mount, guard.protect(mounted, api.rule, {f"{self.mount}/health"}))]
        return guard.install(Starlette(routes=routes))


class StarletteAuthenticate(StarletteDoor):
    name = "starlette AuthenticateMiddleware"
    guard = None
    has_optional = False
    has_websockets = True
    is_whole = True
    without_credentials = 400

    def app(self, guard: Any, api: Api) -> Any:
        protected = Middleware(starlette.AuthenticateMiddleware, server=guard, public_paths={"/health"})
        return Starlette(routes=open_starlette(api), middleware=[protected])


class FastAPIDoor(StarletteDoor):
    guard = fastapi.Guard

    def needed(self, guard: fastapi.Guard, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


class FastAPIParameter(FastAPIDoor):
    name = "fastapi parameter"
    has_websockets = True

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        app = guard.install(fastapi_framework.FastAPI())
        needed = self.needed(guard, api)

        async def home(token: AccessToken | None) -> Any:
            await api.enter_async("/")
            return api.content(token)

        async def health(request: fastapi_framework.Request) -> Any:
            await api.enter_async("/health")
            return api.content(guard.token_or_none(request))

        async def opened(websocket: fastapi_framework.WebSocket, token: AccessToken | None) -> None:
            await websocket_view(api, guard, websocket)

        # Written out, as annotations of this module are text that FastAPI could not resolve in here.
        home.__annotations__["token"] = opened.__annotations__["token"] = Annotated[Any, needed]
        home.__annotations__["return"] = health.__annotations__["return"] = Any
        health.__annotations__["request"] = fastapi_framework.Request
        opened.__annotations__ |= {"websocket": fastapi_framework.WebSocket, "return": None}
        app.api_route("/", methods=METHODS)(home)
        app.get("/health")(health)
        app.websocket("/ws")(opened)
        return app


class FastAPIFunction(FastAPIDoor):
    name = "fastapi function"

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        app = guard.install(fastapi_framework.FastAPI())

        def view(request: fastapi_framework.Request) -> Any:
            api.enter(request.url.path)
            return api.content(guard.token_or_none(request))

        app.api_route("/", methods=METHODS, dependencies=[self.needed(guard, api)])(view)
        app.get("/health")(view)
        return app


class FastAPIRouter(FastAPIDoor):
    name = "fastapi router"
    has_websockets = True

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        async def view(request: fastapi_framework.Request) -> Any:
            await api.enter_async(request.url.path)
            return api.content(guard.token_or_none(request))

        async def opened(websocket: fastapi_framework.WebSocket) -> None:
            await websocket_view(api, guard, websocket)

        router = fastapi_framework.APIRouter(dependencies=[self.needed(guard, api)])
        router.api_route("/", methods=METHODS)(view)
        router.websocket("/ws")(opened)
        app = guard.install(fastapi_framework.FastAPI())
        app.include_router(router)
        app.get("/health")(view)
        return app
