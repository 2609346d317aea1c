"""Doors asked over HTTP, under what sites run: gunicorn for WSGI, uvicorn for ASGI, and aiohttp's own server.

`tests/conformance/test_real_servers.py` puts them through what all doors have in common. Those of gRPC are
always asked over a channel.
"""

from __future__ import annotations

import asyncio
import atexit
import http.client
import os
import socket
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from aiohttp import web
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.sync import SyncWorker

from tests.doors_under_test import aiohttp_doors, django_doors, drf_doors, litestar_doors, ninja_doors
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import Answer, Request, sent_fields
from tests.doors_under_test.real_server import ENOUGH, serving
from tests.left_out import LEFT_OUT

Address = tuple[str, int]


@contextmanager
def under_gunicorn(app: Any) -> Generator[Address]:
    """Run a WSGI application by gunicorn's worker, which reads requests and writes answers, on loopback."""
    settings = Config()
    settings.set("loglevel", "critical")
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(8) as threads:
        worker = SyncWorker(0, os.getpid(), [listening], None, ENOUGH, settings, Logger(settings))
        worker.wsgi = app

        def accept() -> None:
            while True:
                try:
                    connection, peer = listening.accept()
                except OSError:  # closed
                    return
                connection.setblocking(True)
                threads.submit(worker.handle, listening, connection, peer)

        accepting = threading.Thread(target=accept, daemon=True)  # one may run until the program ends
        accepting.start()
        try:
            yield listening.getsockname()
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(ENOUGH)
            worker.tmp.close()


@contextmanager
def under_uvicorn(app: Any) -> Generator[Address]:
    """Run an ASGI application under uvicorn."""
    with serving(app) as port:
        yield "127.0.0.1", port


@contextmanager
def under_aiohttp(app: web.Application) -> Generator[Address]:
    """Run an application of aiohttp under the server that comes with it."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, access_log=None)

    async def start() -> None:
        await runner.setup()
        await web.SockSite(runner, listening).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(start(), loop).result(ENOUGH)
            yield listening.getsockname()
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(ENOUGH)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(ENOUGH)
            loop.close()


class Servers:
    """One server at a time: the one of the application that was asked last."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._app: Any = None
        self._running = ExitStack()
        atexit.register(self._running.close)
        self._address: Address = ("", 0)

    def ask(self, app: Any, *requests: Request) -> list[Answer]:
        if app is not self._app:
            self._running.close()
            self._address = self._running.enter_context(self._run(app))
            self._app = app
        if len(requests) == 1:
            return [exchange(self._address, requests[0])]
        with ThreadPoolExecutor(len(requests)) as threads:
            return list(threads.map(lambda request: exchange(self._address, request), requests))


def exchange(address: Address, request: Request) -> Answer:
    connection = http.client.HTTPConnection(*address, timeout=ENOUGH)
    target = request.path.encode() if request.raw_path is None else request.raw_path
    query = f"?{request.query}" if request.query else ""
    connection.putrequest(
        request.method, target.decode("latin-1") + query, skip_host=True, skip_accept_encoding=True
    )
    for name, value in sent_fields(request):
        connection.putheader(name.decode("latin-1"), value)
    connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    try:
        answer = connection.getresponse()
        fields = [(name.lower(), value) for name, value in answer.getheaders()]
        return Answer(answer.status, fields, answer.read())
    finally:
        connection.close()


class _Unwrapped:
    """A real server gets the application itself, without what is around it in this process."""

    def app(self, guard: Any, api: Api) -> Any:
        return super().app(guard, api).unwrapped  # type: ignore[misc]  # of the door that this is mixed into


class FunctionUnderGunicorn(django_doors.Function):
    name = "django function under gunicorn"
    ask = staticmethod(Servers(under_gunicorn).ask)


class SiteUnderGunicorn(django_doors.Site):
    name = "django site under gunicorn"
    ask = staticmethod(Servers(under_gunicorn).ask)


class FunctionUnderUvicorn(_Unwrapped, django_doors.AsyncFunction):
    name = "django async function under uvicorn"
    ask = staticmethod(Servers(under_uvicorn).ask)


class SiteUnderUvicorn(_Unwrapped, django_doors.SiteOverASGI):
    name = "django site under uvicorn"
    ask = staticmethod(Servers(under_uvicorn).ask)


class RestUnderGunicorn(drf_doors.View):
    name = "drf view under gunicorn"
    ask = staticmethod(Servers(under_gunicorn).ask)


class NinjaUnderGunicorn(ninja_doors.Operation):
    name = "ninja operation under gunicorn"
    ask = staticmethod(Servers(under_gunicorn).ask)


class NinjaUnderUvicorn(_Unwrapped, ninja_doors.AsyncOperation):
    name = "ninja async operation under uvicorn"
    ask = staticmethod(Servers(under_uvicorn).ask)


class LitestarUnderUvicorn(litestar_doors.Handler):
    name = "litestar handler under uvicorn"
    ask = staticmethod(Servers(under_uvicorn).ask)


class AiohttpUnderItsOwn(aiohttp_doors.Function):
    name = "aiohttp function under its own server"
    ask = staticmethod(Servers(under_aiohttp).ask)


class AiohttpMiddlewareUnderItsOwn(aiohttp_doors.AsMiddleware):
    name = "aiohttp middleware under its own server"
    ask = staticmethod(Servers(under_aiohttp).ask)


REAL: tuple[Door, ...] = (
    FunctionUnderGunicorn(),
    SiteUnderGunicorn(),
    FunctionUnderUvicorn(),
    SiteUnderUvicorn(),
    RestUnderGunicorn(),
    NinjaUnderGunicorn(),
    NinjaUnderUvicorn(),
    LitestarUnderUvicorn(),
    AiohttpUnderItsOwn(),
    AiohttpMiddlewareUnderItsOwn(),
)
if "mcp" not in LEFT_OUT:
    from tests.doors_under_test import mcp_doors

    class MCPServers:
        """Under uvicorn, with the SDK's sessions begun; a test's question is sent as a message."""

        def __init__(self) -> None:
            self._servers = Servers(self._run)

        @contextmanager
        def _run(self, app: Any) -> Generator[Address]:
            build, _ = app
            _, guarded = build()
            with serving(guarded, lifespan="on") as port:
                yield "127.0.0.1", port

        def ask(self, app: Any, *requests: Request) -> list[Answer]:
            messages = (mcp_doors.as_message(request, app[1]) for request in requests)
            return [mcp_doors.unpacked(answer) for answer in self._servers.ask(app, *messages)]

    class ToolUnderUvicorn(mcp_doors.Tool):
        name = "mcp tool under uvicorn"
        ask = staticmethod(MCPServers().ask)

    class ToolOfItsOwnRuleUnderUvicorn(mcp_doors.ToolOfItsOwnRule):
        name = "mcp tool with a rule of its own under uvicorn"
        ask = staticmethod(MCPServers().ask)

    REAL += (ToolUnderUvicorn(), ToolOfItsOwnRuleUnderUvicorn())
