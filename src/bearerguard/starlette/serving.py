"""When a request of Starlette or FastAPI begins and ends, for `bearerguard.context`.

It neither verifies a token nor answers anybody.
"""

from __future__ import annotations

import asyncio
import weakref
from contextlib import AsyncExitStack
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response

from bearerguard._asgi import App, Receive, Scope, Send
from bearerguard.context import SERVING, Serving
from bearerguard.context import begin as began

__all__ = ["begin", "end_with", "followed"]


def followed(app: App) -> App:
    """Tell `bearerguard.context` when a request begins, with nobody behind it yet, and when it ends."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or SERVING in scope:
            await app(scope, receive, send)
            return
        with Serving() as request:
            scope[SERVING] = request
            await app(scope, receive, send)

    return noted


def begin(scope: Scope) -> Serving:
    """Say that a request is being checked: nobody is known to be behind it, until a token is noted.

    Where nobody outside follows the request, it ends with FastAPI's own stack, or with its task; not every
    server lets go of a scope in time, and an application may keep one.

    Returns:
        The request, whose `token` is to be set.
    """
    request: Serving | None = scope.get(SERVING)
    if request is not None and not request.is_over:
        request.token = None
        return request
    stack = scope.get("fastapi_middleware_astack")
    if isinstance(stack, AsyncExitStack):
        request = began(scope, is_told=True)
        stack.push(request)
        return request
    request = began(scope)
    found = weakref.ref(request)  # the task may go on to other requests, and is not to keep this one

    def end(_: object) -> None:
        served = found()
        if served is not None:
            served.end()

    try:
        task = asyncio.current_task()
    except RuntimeError:  # another event loop
        return request
    if task is not None:
        task.add_done_callback(end)
    return request


def end_with(made: Any, request: Serving) -> None:
    """Have a request end when what its endpoint has made is sent, where nobody outside follows it."""
    if isinstance(made, Response):
        made.background = _LastTask(made.background, request)
    else:
        request.end()


class _LastTask(BackgroundTask):
    """What is to be done once a response is sent, and then the end of the request."""

    def __init__(self, before: BackgroundTask | None, request: Serving) -> None:
        super().__init__(request.end)
        self._before = before
        self._request = request

    async def __call__(self) -> None:
        try:
            if self._before is not None:
                await self._before()
        finally:
            self._request.end()
