"""Which token stands behind a request of Django, from its check to its end, for the application and for logs.

Nothing here verifies a token. Django says when a response is closed, on the thread of a WSGI server; under
ASGI each request is a task. Both end a request, whatever became of its response.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import AsyncIterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest as DjangoASGIRequest
from django.core.handlers.wsgi import WSGIRequest as DjangoWSGIRequest
from django.core.signals import request_finished
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bearerguard._asgi import ASGIRequest
from bearerguard._wsgi import ServedBody, WSGIRequest
from bearerguard.context import SERVING, Serving, current, end_noted, note
from bearerguard.request import Incoming
from bearerguard.token import AccessToken

__all__: list[str] = []


def incoming(request: HttpRequest) -> Incoming:
    """Return a request as the checks see it, with each header field that the server has."""
    if isinstance(request, DjangoASGIRequest):
        return ASGIRequest(request.scope)
    if isinstance(request, DjangoWSGIRequest):
        return WSGIRequest(request.META)
    # Made by a program, as Ninja's test client does, which names fields otherwise than a server.
    named = {name.upper(): value for name, value in request.META.items()}
    return WSGIRequest({"REQUEST_METHOD": request.method, "PATH_INFO": request.path, **named})


def place_of(request: HttpRequest) -> Any:
    """Return the scope or the environ of a request, where its `Serving` stands."""
    return request.scope if isinstance(request, DjangoASGIRequest) else request.META


def begin(request: HttpRequest) -> bool:
    """Say that a request is being checked: nobody is behind it, until `remember` says otherwise.

    Returns:
        whether nobody outside follows it.
    """
    place = place_of(request)
    outside = place.get(SERVING)
    is_first = outside is None or outside.is_over
    remember(request, None)
    if is_first:
        _end_with_task(place[SERVING])
    return is_first


def remember(request: HttpRequest, token: AccessToken | None) -> None:
    """Note the verified token of a request where the application and the logs find it."""
    request.auth = token
    note(place_of(request), token)
    keep_from_caches(request)


def keep_from_caches(request: HttpRequest) -> None:
    """Have no cache of pages that stands outside of a check keep the answer: it would give it to anybody.

    Any shared cache has to leave such answers alone (RFC 9111, section 3.5). Django's does not; this is how
    its own parts tell each other, and where they no longer do, an answer that is followed cannot be kept at
    all. A cache within the check is the application's own affair, and tells those outside to keep the answer
    too: so this is said on the way in and on the way out.
    """
    request._cache_update_cache = False  # noqa: SLF001 - see above


def left(request: HttpRequest, response: Any, *, is_first: bool) -> Any:
    """Return what a guarded view answers, as it leaves its guard.

    Args:
        request: what was asked.
        response: what the view returned.
        is_first: whether nobody outside follows the request: then it lasts until its response is closed.
    """
    keep_from_caches(request)
    served = place_of(request).get(SERVING)
    if not is_first or served is None or not isinstance(response, HttpResponseBase):
        return response
    if not handed_over(response, served).streaming:
        response.close = functools.partial(_close, weakref.ref(response), served)
    return response


def handed_over(response: HttpResponse, request: Serving) -> HttpResponse:
    """Have the token of a request stand behind a body that is made while it is sent, and only meanwhile."""
    if response.streaming and not isinstance(response, FileResponse):  # a server sends files in its own way
        served = Serving(request.token, request.outer)
        request.end()  # between two chunks the thread may serve somebody else
        chunks, is_async = response.streaming_content, response.is_async
        response.streaming_content = _chunks(chunks, served) if is_async else ServedBody(chunks, served)
        response.close = functools.partial(_close, weakref.ref(response), served)
    return response


def _close(response: weakref.ref[Any], served: Serving) -> None:
    before = current.set(served)
    try:
        found = response()
        if found is not None:
            type(found).close(found)
    finally:
        current.reset(before)
        served.end()


async def _chunks(chunks: AsyncIterator[bytes], served: Serving) -> AsyncIterator[bytes]:
    """A body that the application makes while it is sent, with its request around each step."""
    while True:
        before = current.set(served)
        try:
            chunk = await anext(chunks, None)
        finally:
            current.reset(before)
        if chunk is None:
            return
        yield chunk


def _end_with_task(request: Serving) -> None:
    """End a request with its task, where it has one."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread
        return
    if task is not None:
        found = weakref.ref(request)  # the task may be a program's own, and is not to keep this request

        def end(_: object) -> None:
            served = found()
            if served is not None:
                served.end()

        task.add_done_callback(end)


def _end_of_request(**_: object) -> None:
    end_noted()


# The thread of a WSGI server goes on to the next request, and a response that a middleware has replaced is
# never closed.
request_finished.connect(_end_of_request, dispatch_uid="bearerguard")
