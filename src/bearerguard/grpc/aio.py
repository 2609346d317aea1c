"""Methods that run as tasks, behind a check: of `grpc.aio.server`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from bearerguard._websocket import NAP
from bearerguard.context import Serving
from bearerguard.errors import AuthError
from bearerguard.grpc import threads
from bearerguard.grpc.arity import rebuilt
from bearerguard.grpc.call import Call
from bearerguard.grpc.methods import Methods
from bearerguard.guard import BaseGuard
from bearerguard.token import AccessToken

__all__: list[str] = []

Behavior = Callable[[Any, Any], Any]


class AioInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc comes without types
    """Lets a method be entered only by calls that meet its demand."""

    def __init__(self, guard: BaseGuard, methods: Methods, *, close_at_expiry: bool) -> None:
        self._guard = guard
        self._methods = methods
        self._close_at_expiry = close_at_expiry

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Return the method behind its check; that of an unknown method stays None."""
        handler = await continuation(handler_call_details)
        details = handler_call_details
        demand = self._methods.demand_of(details.method)
        if handler is None or demand is None:
            return handler
        call = Call(self._guard, demand, details.method, details.invocation_metadata)
        return rebuilt(handler, lambda inner: self._behind(inner, handler, call))

    def _behind(self, inner: Behavior, handler: Any, call: Call) -> Behavior:
        if not _is_task(inner):  # gRPC runs it in a thread
            return threads.behind(inner, handler, call, self._close_at_expiry)
        ends = self._close_at_expiry and (handler.request_streaming or handler.response_streaming)

        # Also what streams is a coroutine, not a generator: another task may close a generator, and in its
        # context nobody is served.
        async def served(request: Any, context: Any) -> Any:
            with Serving() as serving:
                serving.token = token = await _admitted(call, context)
                if not ends:
                    return await _run(inner, request, context)
                deadline = asyncio.timeout(None)
                try:
                    async with deadline, _watching(deadline, call, token):
                        return await _run(inner, request, context)
                except TimeoutError:
                    if not deadline.expired():  # one of the method's own
                        raise
                return await context.abort(*call.refusal(call.expired(token)))

        return served


async def _admitted(call: Call, context: Any) -> AccessToken | None:
    """Return the call's token; end the call where it is refused."""
    try:
        return await call.guard.aadmit(call.request(context), call.demand)
    except AuthError as error:
        await context.abort(*call.refusal(error))
        raise  # never: `abort` raises


async def _run(inner: Behavior, request: Any, context: Any) -> Any:
    """Do what a method does, whether it returns its answer, yields its answers, or writes them."""
    made = inner(request, context)
    if not hasattr(made, "__aiter__"):
        return await made
    try:
        async for response in made:
            await context.write(response)
    finally:
        close = getattr(made, "aclose", None)
        if close is not None:
            await close()
    return None


@asynccontextmanager
async def _watching(deadline: asyncio.Timeout, call: Call, token: AccessToken | None) -> AsyncGenerator[None]:
    """Have a deadline come when a token ends, while what is within runs."""

    async def watch() -> None:
        while (left := call.seconds_left(token)) is not None:
            if left <= 0:
                deadline.reschedule(0)
                return
            await asyncio.sleep(min(left, NAP))

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()


def _is_task(inner: Behavior) -> bool:
    """Whether gRPC runs it as a task (as `grpc.aio` decides it)."""
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
