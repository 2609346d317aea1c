"""The doors of Django Ninja, each in one of the ways of its framework."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI, Router

from bearerguard import AccessToken, ninja
from tests.doors_under_test.django_doors import view_of
from tests.doors_under_test.django_site import site
from tests.doors_under_test.door import METHODS, Api, Door
from tests.doors_under_test.exchange import ask_asgi, ask_wsgi


def told(request: Any) -> AccessToken | None:
    """Who is behind a request; the stand-in for nobody is not a token."""
    return request.auth if isinstance(request.auth, AccessToken) else None


class NinjaDoor(Door):
    guard = ninja.Guard
    over: ClassVar[Any] = WSGIHandler
    ask = staticmethod(ask_wsgi)
    joins_fields = True

    def app(self, guard: ninja.Guard, api: Api) -> Any:
        auth = guard.optional() if api.optional else guard.requires(api.rule)
        common = "django.middleware.common.CommonMiddleware"  # without which answers have no length
        routes = [*guard.urls, path("health", view_of(api)), path("", self.api(guard, auth, api).urls)]
        return site(routes, common, over=self.over)

    def api(self, guard: ninja.Guard, auth: Any, api: Api) -> NinjaAPI:
        """The API with the protected operation, in a way of Ninja's."""
        raise NotImplementedError


def sync_operation(api: Api) -> Any:
    def home(request: HttpRequest) -> Any:
        api.enter(request.path_info)
        return api.content(told(request))

    return home


def async_operation(api: Api) -> Any:
    async def home(request: HttpRequest) -> Any:
        await api.enter_async(request.path_info)
        return api.content(told(request))

    return home


class Operation(NinjaDoor):
    name = "ninja operation"

    def api(self, guard: ninja.Guard, auth: Any, api: Api) -> NinjaAPI:
        made = guard.install(NinjaAPI(docs_url=None, openapi_url=None))
        made.api_operation(METHODS, "", auth=auth)(sync_operation(api))
        return made


class AsyncOperation(NinjaDoor):
    name = "ninja async operation"
    over = ASGIHandler
    ask = staticmethod(ask_asgi)
    joins_fields = False

    def api(self, guard: ninja.Guard, auth: Any, api: Api) -> NinjaAPI:
        made = guard.install(NinjaAPI(docs_url=None, openapi_url=None))
        made.api_operation(METHODS, "", auth=auth)(async_operation(api))
        return made


class OperationOverASGI(AsyncOperation):
    name = "ninja operation over ASGI"

    def api(self, guard: ninja.Guard, auth: Any, api: Api) -> NinjaAPI:
        return Operation().api(guard, auth, api)


class RouterOfAPI(NinjaDoor):
    name = "ninja router"

    def api(self, guard: ninja.Guard, auth: Any, api: Api) -> NinjaAPI:
        made = guard.install(NinjaAPI(docs_url=None, openapi_url=None, auth=auth))
        router = Router()
        router.api_operation(METHODS, "")(sync_operation(api))
        made.add_router("", router)
        return made
