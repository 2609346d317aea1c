"""A Django site for one test: Django is set up once for the process, routes and middleware are a site's."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Sequence
from typing import Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

from bearerguard.django import Middleware

django.setup()

urlpatterns: list[Any] = []
HERE = __name__


class Routed:
    """Middleware that has requests find the routes of one site."""

    sync_capable = True
    async_capable = True
    urlconf: Any = None
    """Those of the site that is being built."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self.urlconf = Routed.urlconf
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        request.urlconf = self.urlconf
        return self.get_response(request)


class Protected(Middleware):
    """Our middleware with a guard of the program's own, as a site of that kind subclasses it."""

    options: Any = None

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response, **Protected.options)


def site(
    routes: Sequence[Any],
    *middleware: str,
    over: type[WSGIHandler | ASGIHandler] = WSGIHandler,
    protected: dict[str, Any] | None = None,
    **changed: Any,
) -> Any:
    """An application with these routes, behind this middleware.

    Args:
        routes: its `urlpatterns`.
        *middleware: dotted paths.
        over: what serves it.
        protected: what our own middleware, which then stands in front, is made with.
        **changed: settings, while it is built.
    """
    Routed.urlconf = types.ModuleType("urls")
    Routed.urlconf.urlpatterns = list(routes)
    chain = [f"{HERE}.Routed", *middleware]
    if protected is not None:
        Protected.options = protected
        chain.append(f"{HERE}.Protected")
    with override_settings(MIDDLEWARE=chain, **changed):
        app = over()
    return app if over is WSGIHandler else served(app)


def served(app: Any) -> Any:
    """A Django application as our small client of ASGI wants one.

    Django takes the end of what a client sends for its end, and leaves the case of names as it is written.
    """

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        is_complete = False

        async def wait() -> Any:
            nonlocal is_complete
            if is_complete:
                await asyncio.Event().wait()
            message = await receive()
            is_complete = not message.get("more_body")
            return message

        async def send_lower(message: Any) -> None:
            if "headers" in message:
                message["headers"] = [(name.lower(), value) for name, value in message["headers"]]
            await send(message)

        await app(scope, wait, send_lower)

    patient.unwrapped = app  # type: ignore[attr-defined]  # for real servers
    return patient
