"""The doors of FastAPI, each in one of the ways of its framework."""

from __future__ import annotations

from typing import Annotated, Any

import fastapi as fastapi_framework

from bearerguard import AccessToken, fastapi
from tests.doors_under_test.door import METHODS, Api
from tests.doors_under_test.starlette_doors import StarletteDoor, websocket_view


class FastAPIDoor(StarletteDoor):
    guard = fastapi.Guard

    def needed(self, guard: fastapi.Guard, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


class Parameter(FastAPIDoor):
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


class Function(FastAPIDoor):
    name = "fastapi function"

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        app = guard.install(fastapi_framework.FastAPI())

        def view(request: fastapi_framework.Request) -> Any:
            api.enter(request.url.path)
            return api.content(guard.token_or_none(request))

        app.api_route("/", methods=METHODS, dependencies=[self.needed(guard, api)])(view)
        app.get("/health")(view)
        return app


class Router(FastAPIDoor):
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
