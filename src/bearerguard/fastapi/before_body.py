"""What stands directly before the routes of a FastAPI application: the token is asked for before the body.

FastAPI reads a body before it asks any dependency. Here, code that wants the body first meets what the route
asks for. The dependencies ask again, and what they say counts: this opens nothing.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from bearerguard._asgi import App, Receive, Scope, Send
from bearerguard.errors import ConfigurationError
from bearerguard.fastapi.annotations import check_annotations
from bearerguard.fastapi.requirement import ASKED, RefusedRequest, requirements_of_route

__all__ = ["ask_before_the_body"]

_ABOUT_FORM = (400, 413, 415, 422)
"""What FastAPI answers to a body that it cannot read, or does not want to begin with."""


def ask_before_the_body(app: FastAPI) -> None:
    """Have `app` ask what a route asks for before it reads a body, and look at its routes when it starts.

    It stands behind all middleware: an exception of what gives the body would not come through it as it is.
    """
    inner = app.router.middleware_stack
    seen = False

    async def asking(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal seen
        if not seen:
            try:
                check_annotations(app)
            except ConfigurationError as error:
                if scope["type"] == "lifespan":
                    await receive()
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            seen = True
        if scope["type"] == "http":
            await _asking(app, inner, scope, receive, send)
        else:
            await inner(scope, receive, send)

    app.router.middleware_stack = asking


async def _asking(app: FastAPI, inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    refused: RefusedRequest | None = None

    async def ask() -> None:
        # An application that is mounted within has its own routes asked, by its own guards.
        if ASKED not in scope and scope.get("app") is app:
            connection = HTTPConnection(scope)
            for requirement in requirements_of_route(scope, app.dependency_overrides):
                await requirement(connection)

    async def receive_body() -> Any:
        await ask()
        return await receive()

    async def send_answer(message: Any) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] in _ABOUT_FORM:
            try:
                await ask()
            except RefusedRequest as error:
                refused = error
        if refused is None:
            await send(message)

    await inner(scope, receive_body, send_answer)
    if refused is not None:
        raise refused
