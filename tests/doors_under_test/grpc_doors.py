"""The doors of gRPC: a method that answers once, of each kind of server, asked over a real channel.

A call has no path, verb or body of HTTP. What the tests ask by them is put as gRPC knows it: the path `/` is
the method that the API has, `/health` a public one, and the status and the trailing metadata are read as the
answer of HTTP that they stand for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import grpc
import grpc.aio

from bearerguard import grpc as door_of_grpc
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import Answer, ApplicationError, Request, run

# Otherwise its thread ends with the last server or channel, and an event loop waits for it.
grpc.aio.init_grpc_aio()

METHODS = {"/": "/api.Api/Home", "/health": "/api.Api/Health"}
STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNIMPLEMENTED: 404,
    grpc.StatusCode.UNKNOWN: 500,
}
LARGE = [("grpc.max_metadata_size", 2**23), ("grpc.absolute_max_metadata_size", 2**23)]
"""What lets a megabyte of metadata through; by default gRPC refuses more than some 16 KiB itself."""


class Generic(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc comes without types
    """Handlers by the full names of their methods, as the code that protoc writes has them."""

    def __init__(self, handlers: dict[str, Any]) -> None:
        self.handlers = handlers

    def service(self, handler_call_details: Any) -> Any:
        return self.handlers.get(handler_call_details.method)


@asynccontextmanager
async def aio_serving(
    interceptor: Any, handlers: dict[str, Any], server_side: Any = None, client_side: Any = None
) -> AsyncIterator[Any]:
    """A channel to a server of asyncio; with TLS, where both sides have credentials for it."""
    server = grpc.aio.server(interceptors=[interceptor], options=LARGE)
    server.add_generic_rpc_handlers((Generic(handlers),))
    port = listening(server, server_side)
    await server.start()
    try:
        async with channel_to(grpc.aio, port, client_side) as channel:
            yield channel
    finally:
        await server.stop(0)


@contextmanager
def thread_serving(
    interceptor: Any, handlers: dict[str, Any], server_side: Any = None, client_side: Any = None
) -> Iterator[Any]:
    """A channel to a server of threads; with TLS, where both sides have credentials for it."""
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[interceptor], options=LARGE)
    server.add_generic_rpc_handlers((Generic(handlers),))
    port = listening(server, server_side)
    server.start()
    try:
        with channel_to(grpc, port, client_side) as channel:
            yield channel
    finally:
        server.stop(0).wait()


def listening(server: Any, credentials: Any) -> int:
    at = "127.0.0.1:0"
    port: int = server.add_secure_port(at, credentials) if credentials else server.add_insecure_port(at)
    return port


def channel_to(module: Any, port: int, credentials: Any) -> Any:
    address = f"127.0.0.1:{port}"
    if credentials is None:
        return module.insecure_channel(address, options=LARGE)
    return module.secure_channel(address, credentials, options=LARGE)


def metadata_of(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode().lower(), value.decode("latin-1")) for name, value in request.fields)


def refused(error: Any) -> Answer:
    """What a status says as an answer of HTTP does; a client that cannot send its metadata sends nothing."""
    fields = [(name, str(value)) for name, value in error.trailing_metadata() or ()]
    status = STATUSES[error.code()]
    challenge = "".join(value for name, value in fields if name == "www-authenticate")
    if 'error="invalid_request"' in challenge:
        status = 400  # gRPC has one status for both
    return Answer(status, fields, error.details().encode())


class AskAio:
    def __call__(self, app: Any, *requests: Request) -> list[Answer]:
        async def all_at_once() -> list[Answer]:
            async with aio_serving(*app) as channel:
                return await asyncio.gather(*(one(channel, request) for request in requests))

        async def one(channel: Any, request: Request) -> Answer:
            call = channel.unary_unary(METHODS.get(request.path, request.path))
            try:
                return Answer(200, (), await call(b"", metadata=metadata_of(request)))
            except grpc.aio.AioRpcError as error:
                return refused(error)

        answers: list[Answer] = run(all_at_once)
        return answers


class AskThreads:
    def __call__(self, app: Any, *requests: Request) -> list[Answer]:
        def one(request: Request) -> Answer:
            call = channel.unary_unary(METHODS.get(request.path, request.path))
            try:
                return Answer(200, (), call(b"", metadata=metadata_of(request)))
            except grpc.RpcError as error:
                return refused(error)

        with thread_serving(*app) as channel, ThreadPoolExecutor(len(requests)) as threads:
            return list(threads.map(one, requests))


class GRPCDoor(Door):
    guard = door_of_grpc.Guard
    is_http = False
    words_refusals = False
    build: ClassVar[str] = "interceptor"

    def app(self, guard: door_of_grpc.Guard, api: Api) -> Any:
        rules = {"/api.Api/Home": api.rule} if api.rule is not None and not api.optional else None
        optional = {"/api.Api/Home"} if api.optional else ()
        interceptor = getattr(guard, self.build)(rules, public={"/api.Api/Health"}, optional=optional)
        behaviors = [self.behavior(guard, api, path) for path in METHODS]
        handlers = [grpc.unary_unary_rpc_method_handler(behavior) for behavior in behaviors]
        return interceptor, dict(zip(METHODS.values(), handlers, strict=True))

    def sent(self, method: str, path: str) -> tuple[str, str]:
        return "POST", METHODS.get(path, path)

    def behavior(self, guard: door_of_grpc.Guard, api: Api, path: str) -> Callable[[Any, Any], Any]:
        def serve(request: bytes, context: Any) -> bytes:
            api.enter(path)
            return content(guard, api)

        return serve


class Task(GRPCDoor):
    name = "grpc task"
    ask = AskAio()

    def behavior(self, guard: door_of_grpc.Guard, api: Api, path: str) -> Callable[[Any, Any], Any]:
        async def serve(request: bytes, context: Any) -> bytes:
            await api.enter_async(path)
            return content(guard, api)

        return serve


class FunctionOfTasks(GRPCDoor):
    name = "grpc function on a server of asyncio"
    ask = AskAio()


class Function(GRPCDoor):
    name = "grpc function"
    ask = AskThreads()
    build = "sync_interceptor"


def content(guard: door_of_grpc.Guard, api: Api) -> bytes:
    try:
        return json.dumps(api.content(guard.token_or_none())).encode()
    except ApplicationError as error:  # as of every method that fails
        raise RuntimeError from error
