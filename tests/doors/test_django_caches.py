"""Django's cache of pages around a guard, in each of the ways there are: it keeps nothing that took a token.

It would hand the page to whoever comes next, without a token too. Within a guard it is the application's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers
from ninja import NinjaAPI
from rest_framework.response import Response
from rest_framework.views import APIView

from bearerguard.django import Guard
from bearerguard.drf import Guard as RestGuard
from bearerguard.ninja import Guard as NinjaGuard
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Answer, Request, ask_asgi, ask_wsgi


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


def ask(app: Any, token: str | None) -> Answer:
    fields = [] if token is None else [(b"Authorization", f"Bearer {token}".encode())]
    over = ask_wsgi if isinstance(app, WSGIHandler) else ask_asgi
    return over(app, Request(fields=fields))[0]


@contextmanager
def a_cache() -> Iterator[None]:
    """Django's cache of pages, which is empty and keeps what it is given."""
    name = f"tests-{next(numbers)}"
    where = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}}
    with override_settings(CACHES=where):
        yield


numbers = itertools.count()
CACHE_OF_PAGES = [f"django.middleware.cache.{name}CacheMiddleware" for name in ("Update", "FetchFrom")]


def outside(guard: Guard, over: Any, guarded: Any) -> Any:
    return site([path("", cache_page(60)(guarded))], over=over)


def outside_of_the_site(guard: Guard, over: Any, guarded: Any) -> Any:
    return site([path("", guarded)], *CACHE_OF_PAGES, over=over)


def outside_of_our_middleware(guard: Guard, over: Any, guarded: Any) -> Any:
    return site([path("", guarded.__wrapped__)], *CACHE_OF_PAGES, over=over, protected={"guard": guard})


class Rested(APIView):  # type: ignore[misc]  # REST framework comes without types
    def get(self, request: Any) -> Response:
        return Response(f"{request.auth.subject} {next(numbers)}")


def outside_of_rest_framework(guard: Guard, over: Any, guarded: Any) -> Any:
    rested = RestGuard(guard.server)
    ways = {"authentication_classes": [rested.authentication()], "permission_classes": [rested.requires()]}
    return site([path("", cache_page(60)(Rested.as_view(**ways)))], over=over)


def outside_of_ninja(guard: Guard, over: Any, guarded: Any) -> Any:
    of_ninja = NinjaGuard(guard.server)
    api = of_ninja.install(NinjaAPI(docs_url=None, openapi_url=None))
    api.get("", auth=of_ninja.requires())(lambda request: f"{request.auth.subject} {next(numbers)}")
    return site([path("", api.urls)], *CACHE_OF_PAGES, over=over)


@pytest.mark.parametrize("over", [WSGIHandler, ASGIHandler], ids=["WSGI", "ASGI"])
@pytest.mark.parametrize("has_one_within", [False, True], ids=["outside", "outside and within"])
@pytest.mark.parametrize(
    "kept",
    [outside, outside_of_the_site, outside_of_our_middleware, outside_of_rest_framework, outside_of_ninja],
)
def test_a_cache_outside_of_a_guard_keeps_no_page_for_those_who_have_no_token(
    kept: Any, has_one_within: bool, over: Any, guard: Guard, issuer: Issuer
) -> None:
    def numbered(request: Any) -> HttpResponse:
        return HttpResponse(f"{request.auth.subject} {next(numbers)}")

    with a_cache():
        view = cache_page(60)(vary_on_headers("Authorization")(numbered)) if has_one_within else numbered
        app = kept(guard, over, guard.requires()(view))
        ada = issuer.token("ada")
        first = ask(app, ada)
        assert b"ada" in first.body
        assert b"bob" in ask(app, issuer.token("bob")).body
        assert ask(app, None).status == 401
        is_kept = has_one_within and kept not in (outside_of_rest_framework, outside_of_ninja)
        assert (ask(app, ada).body == first.body) is is_kept
