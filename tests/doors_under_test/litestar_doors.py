"""The doors of Litestar: a guard of a handler, async or in a thread, of a controller, and of a router."""

from __future__ import annotations

from typing import Any, ClassVar

from litestar import Controller, Litestar, Request, Router, WebSocket, get, head, post, route, websocket
from litestar.openapi.config import OpenAPIConfig

from bearerguard import litestar
from bearerguard.guard import BaseGuard
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import ask_asgi

AnyRequest = Request[Any, Any, Any]
AnyWebSocket = WebSocket[Any, Any, Any]


class LitestarDoor(Door):
    ask = staticmethod(ask_asgi)
    guard: ClassVar[type[BaseGuard] | None] = litestar.Guard
    has_websockets = True

    def check(self, guard: litestar.Guard, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)

    def application(self, guard: litestar.Guard, handlers: list[Any], **options: Any) -> Litestar:
        return Litestar(
            handlers,
            plugins=[guard],
            logging_config=None,
            openapi_config=OpenAPIConfig("Api", "1"),
            **options,
        )


def views(api: Api, guard: litestar.Guard, **options: Any) -> list[Any]:
    """The handlers of the API; `/health` is open."""

    async def view(request: AnyRequest) -> Any:
        await api.enter_async(request.scope["path"])
        return api.content(guard.token_or_none(request))

    @websocket("/ws", **options)
    async def opened(socket: AnyWebSocket) -> None:
        await api.enter_async("/ws")
        await socket.accept()
        await socket.send_json(api.content(guard.token_or_none(socket)))

    async def silent(request: AnyRequest) -> None:
        await api.enter_async(request.scope["path"])

    return [
        get("/", **options)(view),
        head("/", **options)(silent),
        post("/", status_code=200, **options)(view),
        opened,
    ]


def health(api: Api, guard: litestar.Guard) -> Any:
    @get("/health")
    async def healthy(request: AnyRequest) -> Any:
        await api.enter_async("/health")
        return api.content(guard.token_or_none(request))

    return healthy


class Handler(LitestarDoor):
    name = "litestar handler"

    def app(self, guard: litestar.Guard, api: Api) -> Any:
        handlers = views(api, guard, guards=[self.check(guard, api)])
        return self.application(guard, [*handlers, health(api, guard)])


class InThread(LitestarDoor):
    name = "litestar handler in a thread"
    has_websockets = False

    def app(self, guard: litestar.Guard, api: Api) -> Any:
        guards = [self.check(guard, api)]

        # Of three handlers of a path, Litestar 2.25 leaves those in threads without an await.
        @route("/", http_method=["GET", "POST"], status_code=200, guards=guards, sync_to_thread=True)
        def home(request: AnyRequest) -> Any:
            api.enter(request.scope["path"])
            return api.content(guard.token_or_none(request))

        @head("/", guards=guards)
        async def asked(request: AnyRequest) -> None:
            await api.enter_async(request.scope["path"])

        return self.application(guard, [home, asked, health(api, guard)])


class OfController(LitestarDoor):
    name = "litestar controller"
    has_websockets = False

    def app(self, guard: litestar.Guard, api: Api) -> Any:
        check = self.check(guard, api)

        class Orders(Controller):
            guards = [check]  # noqa: RUF012 - as Litestar has it

            @get("/")
            async def home(self, request: AnyRequest) -> Any:
                await api.enter_async(request.scope["path"])
                return api.content(guard.token_or_none(request))

            @head("/")
            async def asked(self, request: AnyRequest) -> None:
                await api.enter_async(request.scope["path"])

            @post("/", status_code=200)
            async def changed(self, request: AnyRequest) -> Any:
                await api.enter_async(request.scope["path"])
                return api.content(guard.token_or_none(request))

        return self.application(guard, [Orders, health(api, guard)])


class OfRouter(LitestarDoor):
    name = "litestar router"

    def app(self, guard: litestar.Guard, api: Api) -> Any:
        router = Router("/", route_handlers=views(api, guard), guards=[self.check(guard, api)])
        return self.application(guard, [router, health(api, guard)])
