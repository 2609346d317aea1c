"""A whole site behind one rule, by Django's `MIDDLEWARE`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from bearerguard.context import SERVING, Serving
from bearerguard.django.base import DjangoGuard
from bearerguard.django.public import public
from bearerguard.django.response import allowed_methods, as_response, request_to
from bearerguard.django.serving import handed_over, keep_from_caches, place_of
from bearerguard.django.settings import configuration
from bearerguard.django.views import is_preflight
from bearerguard.endpoints import Endpoint
from bearerguard.rules import Rule

__all__ = ["Middleware"]


class Middleware:
    """Lets requests in that have a token which fulfils a rule; they find it as `request.auth`.

    `"bearerguard.django.Middleware"` in `MIDDLEWARE` does what the setting `BEARERGUARD` says. A subclass may
    pass a guard of the program's own. The guard's endpoints need no token, and are served from here.

    Args:
        get_response: what stands behind it.
        guard: the guard; that of the settings by default, with all that is said there.
        rule: what tokens must fulfil; any valid token by default.
        public_paths: exact paths that need no token, as `urlpatterns` name them, from `/` on. No token is
            read there, `request.auth` is None, and Django's CSRF check stays.
        public_prefixes: the same for all that stands below.

    Examples:
        ```python
        class Orders(Middleware):
            def __init__(self, get_response):
                super().__init__(
                    get_response, guard=guard, rule=scope("orders:read"), public_paths={"/health"}
                )
        ```
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], Any],
        *,
        guard: DjangoGuard | None = None,
        rule: Rule | None = None,
        public_paths: Iterable[str] = (),
        public_prefixes: Iterable[str] = (),
    ) -> None:
        if guard is None:
            found = configuration()
            guard = DjangoGuard.from_settings()
            rule, self._public = found.rule, found.public
        else:
            self._public = public(public_paths, public_prefixes)
        self._guard = guard
        self._demand = guard.demand(rule)
        self._endpoints = {endpoint.path: endpoint for endpoint in guard.endpoints}
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]  # only asyncio's is
        if self._is_async:
            markcoroutinefunction(self)
            # Or Django would run it in a thread, for each request.
            self.process_view = self._process_view_in_task  # type: ignore[method-assign]  # of the same arguments

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request; as a task, where Django awaits one."""
        if self._is_async:
            return self._answer_in_task(request)
        with Serving() as served:
            endpoint = self._begin(request, served)
            if endpoint is not None:
                answer = as_response(endpoint.answer(request_to(endpoint, request)))
            elif self._is_open(request):
                answer = None
            else:
                answer = self._guard.refusal(request, self._demand)
                request.csrf_processing_done = answer is None
            response = self._get_response(request) if answer is None else answer
            return self._left(request, response, served)

    async def _answer_in_task(self, request: HttpRequest) -> HttpResponse:
        with Serving() as served:
            endpoint = self._begin(request, served)
            if endpoint is not None:
                answer = as_response(await endpoint.aanswer(request_to(endpoint, request)))
            elif self._is_open(request):
                answer = None
            else:
                answer = await self._guard.arefusal(request, self._demand)
                request.csrf_processing_done = answer is None
            response = await self._get_response(request) if answer is None else answer
            return self._left(request, response, served)

    def process_view(
        self,
        request: HttpRequest,
        view: Any,
        args: Any,  # noqa: ARG002 - as Django calls it
        kwargs: Any,  # noqa: ARG002 - Django calls with all of them
    ) -> HttpResponse | None:
        """Answer in place of a view where a browser asks, without credentials, what it may send."""
        is_asked = is_preflight(request) and not self._public.has(request)
        return allowed_methods(view) if is_asked else None

    async def _process_view_in_task(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        return Middleware.process_view(self, request, view, args, kwargs)

    def _begin(self, request: HttpRequest, served: Serving) -> Endpoint | None:
        """Note that nobody is behind a request yet; return the endpoint that it is for, if it is for one."""
        place_of(request)[SERVING] = served  # for the guards of views within
        request.auth = None
        endpoint = self._endpoints.get(request.path_info)
        return None if endpoint is None or request.method not in endpoint.methods else endpoint

    def _left(self, request: HttpRequest, response: HttpResponse, served: Serving) -> HttpResponse:
        if not self._is_open(request):
            keep_from_caches(request)
        return handed_over(response, served)

    def _is_open(self, request: HttpRequest) -> bool:
        return is_preflight(request) or self._public.has(request)
