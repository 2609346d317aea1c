"""Methods that run in threads, behind a check: of `grpc.server`, and plain functions of `grpc.aio.server`."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NoReturn, Self

import grpc

from bearerguard._websocket import NAP
from bearerguard.context import Serving
from bearerguard.errors import AuthError
from bearerguard.grpc.arity import rebuilt
from bearerguard.grpc.call import Call
from bearerguard.grpc.methods import Methods
from bearerguard.guard import BaseGuard
from bearerguard.token import AccessToken

__all__: list[str] = []

Behavior = Callable[[Any, Any], Any]
_END = object()


class ThreadInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc comes without types
    """Lets a method be entered only by calls that meet its demand."""

    def __init__(self, guard: BaseGuard, methods: Methods, *, close_at_expiry: bool) -> None:
        self._guard = guard
        self._methods = methods
        self._close_at_expiry = close_at_expiry

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Return the method behind its check; that of an unknown method stays None."""
        handler = continuation(handler_call_details)
        details = handler_call_details
        demand = self._methods.demand_of(details.method)
        if handler is None or demand is None:
            return handler
        call = Call(self._guard, demand, details.method, details.invocation_metadata)
        return rebuilt(handler, lambda inner: behind(inner, handler, call, self._close_at_expiry))


def behind(inner: Behavior, handler: Any, call: Call, close_at_expiry: bool) -> Behavior:
    """Return what a method does, behind a check.

    Args:
        inner: what it does.
        handler: its handler, which says what streams.
        call: the call.
        close_at_expiry: whether a stream ends with its token.
    """

    def unary(request: Any, context: Any) -> Any:
        with Serving() as serving:
            serving.token = _token_of(call, context)
            return inner(request, context)

    def from_stream(requests: Any, context: Any) -> Any:
        with _Steps(call, context) as steps:
            return steps.run(inner, requests, context)

    def to_stream(request: Any, context: Any) -> Iterator[Any]:
        with _Steps(call, context, close_at_expiry=close_at_expiry) as steps:
            responses = steps.closing(iter(steps.run(inner, request, context)))
            while (response := steps.run(next, responses, _END)) is not _END:
                yield response

    if handler.response_streaming:
        return to_stream
    return from_stream if handler.request_streaming and close_at_expiry else unary


def _token_of(call: Call, context: Any) -> AccessToken | None:
    """Return the call's token; end the call where it is refused."""
    try:
        return call.guard.admit(call.request(context), call.demand)
    except AuthError as error:
        _refuse(call, context, error)


def _refuse(call: Call, context: Any, error: AuthError) -> NoReturn:
    status, details, metadata = call.refusal(error)
    context.set_trailing_metadata(metadata)
    context.abort(status, details)
    raise error  # never: `abort` raises


class _Steps:
    """The steps of a stream, each in the context of its call, up to the end of its token where that counts.

    gRPC may take each step in another thread, and nobody can end a step that blocks. With an end they are
    taken in a thread of their own, so that the call's own thread can end the call meanwhile.
    """

    def __init__(self, call: Call, context: Any, *, close_at_expiry: bool = True) -> None:
        self._call = call
        self._context = context
        self._thread = ThreadPoolExecutor(1, "bearerguard stream") if close_at_expiry else None
        self._step: Future[Any] | None = None
        self._own = contextvars.copy_context()
        self._serving = self._own.run(Serving)
        self._close: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self._own.run(self._serving.__enter__)
        self._serving.token = _token_of(self._call, self._context)
        return self

    def __exit__(self, *_: object) -> None:
        if self._step is None or self._step.done():
            self._closed()
        else:  # it is still at it: what it makes is closed when it is done
            self._step.add_done_callback(self._closed)
        self._serving.end()
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Take a step; end the call if its token ends meanwhile."""
        if self._thread is None:
            return self._own.run(function, *arguments)
        self._step = step = self._thread.submit(self._own.run, function, *arguments)
        token = self._serving.token
        while not step.done():
            left = self._call.seconds_left(token)
            if left is not None and left <= 0:
                _refuse(self._call, self._context, self._call.expired(token))
            wait([step], timeout=NAP if left is None else min(left, NAP))
        return step.result()

    def closing(self, responses: Iterator[Any]) -> Iterator[Any]:
        """Close an iterator at the end, where it can be closed."""
        self._close = getattr(responses, "close", None)
        return responses

    def _closed(self, _: object = None) -> None:
        if self._close is not None:
            self._own.run(self._close)
