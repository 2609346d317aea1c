"""The doors of aiohttp: a function, a method, a class of views, one of its methods, a middleware."""

from __future__ import annotations

import asyncio
from ssl import PEM_cert_to_DER_cert
from typing import Any, ClassVar, cast
from unittest.mock import Mock
from urllib.parse import quote

from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bearerguard import aiohttp
from bearerguard.guard import BaseGuard
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import Answer, ApplicationError, Request, run


class Payload:
    """The body of a request that no server received; as of a real one, not all of it comes at once."""

    def __init__(self, body: bytes) -> None:
        self.rest = body

    async def read(self, n: int) -> bytes:
        await asyncio.sleep(0)
        length = min(n, 7)
        read, self.rest = self.rest[:length], self.rest[length:]
        return read


class Connection(asyncio.Transport):
    """The connection of a request that no server received."""

    def __init__(self, request: Request) -> None:
        known: dict[str, Any] = {}
        if request.peer is not None:
            known["peername"] = (request.peer, 50000)
        if request.certificate is not None:
            pem = request.certificate
            known["ssl_object"] = Mock(getpeercert=lambda *, binary_form: PEM_cert_to_DER_cert(pem))
        super().__init__(known)

    def is_closing(self) -> bool:
        return False


def ask_aiohttp(app: Any, *requests: Request) -> list[Answer]:
    async def all_at_once() -> list[Answer]:
        if not app.frozen:
            app.freeze()
        return await asyncio.gather(*(_asked(app, request) for request in requests))

    answers: list[Answer] = run(all_at_once)
    return answers


async def _asked(app: web.Application, request: Request) -> Answer:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.fields]
    path = quote(request.path) if request.raw_path is None else request.raw_path.decode("latin-1")
    made = make_mocked_request(
        request.method,
        path + (f"?{request.query}" if request.query else ""),
        CIMultiDict([("Host", "api.test"), *fields]),
        app=app,
        transport=Connection(request),
        payload=cast("StreamReader", Payload(request.body)),
    )
    try:
        response = await app._handle(made)
    except web.HTTPException as raised:
        response = raised
    except ApplicationError:
        return Answer(500)
    assert isinstance(response, web.Response)
    body = response.body or b""
    assert isinstance(body, bytes)
    sent = [(name.lower(), value) for name, value in response.headers.items()]
    return Answer(response.status, sent, b"" if request.method == "HEAD" else body)


class AiohttpDoor(Door):
    ask = staticmethod(ask_aiohttp)
    guard: ClassVar[type[BaseGuard] | None] = aiohttp.Guard

    def decorator(self, guard: aiohttp.Guard, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


def handler(api: Api, guard: aiohttp.Guard, prefix: str = "") -> Any:
    async def view(request: web.Request) -> web.Response:
        await api.enter_async(request.path.removeprefix(prefix))
        return web.json_response(api.content(guard.token_or_none(request)))

    return view


class Function(AiohttpDoor):
    name = "aiohttp function"

    def app(self, guard: aiohttp.Guard, api: Api) -> Any:
        app = web.Application()
        view = handler(api, guard)
        guarded = self.decorator(guard, api)(view)
        app.add_routes([web.get("/", guarded), web.post("/", guarded), web.get("/health", view)])
        return guard.install(app)


class Method(AiohttpDoor):
    name = "aiohttp method"

    def app(self, guard: aiohttp.Guard, api: Api) -> Any:
        view = handler(api, guard)
        decorate = self.decorator(guard, api)

        class Orders:
            @decorate  # type: ignore[untyped-decorator] # of one of two kinds
            async def home(self, request: web.Request) -> web.StreamResponse:
                answer: web.StreamResponse = await view(request)
                return answer

        app = web.Application()
        home = Orders().home
        app.add_routes([web.get("/", home), web.post("/", home), web.get("/health", view)])
        return guard.install(app)


class Class(AiohttpDoor):
    name = "aiohttp class"

    def app(self, guard: aiohttp.Guard, api: Api) -> Any:
        view = handler(api, guard)

        @self.decorator(guard, api)
        class Orders(web.View):
            async def get(self) -> web.StreamResponse:
                answer: web.StreamResponse = await view(self.request)
                return answer

            head = post = get

        app = web.Application()
        app.add_routes([web.view("/", Orders), web.get("/health", view)])
        return guard.install(app)


class MethodOfClass(AiohttpDoor):
    name = "aiohttp method of a class"

    def app(self, guard: aiohttp.Guard, api: Api) -> Any:
        view = handler(api, guard)
        decorate = self.decorator(guard, api)

        class Orders(web.View):
            @decorate  # type: ignore[untyped-decorator] # of one of two kinds
            async def get(self) -> web.StreamResponse:
                answer: web.StreamResponse = await view(self.request)
                return answer

            head = post = get

        app = web.Application()
        app.add_routes([web.view("/", Orders), web.get("/health", view)])
        return guard.install(app)


class AsMiddleware(AiohttpDoor):
    name = "aiohttp middleware"
    has_optional = False
    is_whole = True

    def app(self, guard: aiohttp.Guard, api: Api) -> Any:
        app = web.Application(middlewares=[guard.middleware(api.rule, public_paths={"/health"})])
        view = handler(api, guard)
        app.add_routes([web.get("/", view), web.post("/", view), web.get("/health", view)])
        return guard.install(app)
