"""The doors of Django, each in one of the ways of its framework, over WSGI and over ASGI."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse
from django.urls import path
from django.views import View

from bearerguard import django
from tests.doors_under_test.django_site import site
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import ask_asgi, ask_wsgi


def view_of(api: Api) -> Any:
    def view(request: Any) -> JsonResponse:
        api.enter(request.path_info)
        return JsonResponse(api.content(getattr(request, "auth", None)), safe=False)

    return view


def task_of(api: Api) -> Any:
    async def view(request: Any) -> JsonResponse:
        await api.enter_async(request.path_info)
        return JsonResponse(api.content(getattr(request, "auth", None)), safe=False)

    return view


class DjangoDoor(Door):
    guard = django.Guard
    over: ClassVar[Any] = WSGIHandler
    ask = staticmethod(ask_wsgi)
    joins_fields = True

    def app(self, guard: django.Guard, api: Api) -> Any:
        decorate = guard.optional() if api.optional else guard.requires(api.rule)
        routes = [*guard.urls, path("", self.home(decorate, api)), path("health", view_of(api))]
        return site(routes, over=self.over)

    def home(self, decorate: Any, api: Api) -> Any:
        """The protected view, decorated in a way of Django's."""
        raise NotImplementedError


class OverASGI(DjangoDoor):
    over = ASGIHandler
    ask = staticmethod(ask_asgi)
    joins_fields = False


class Function(DjangoDoor):
    name = "django function"

    def home(self, decorate: Any, api: Api) -> Any:
        return decorate(view_of(api))


class FunctionOverASGI(OverASGI):
    name = "django function over ASGI"

    def home(self, decorate: Any, api: Api) -> Any:
        return decorate(view_of(api))


class AsyncFunction(OverASGI):
    name = "django async function"

    def home(self, decorate: Any, api: Api) -> Any:
        return decorate(task_of(api))


class AsyncFunctionOverWSGI(DjangoDoor):
    name = "django async function over WSGI"

    def home(self, decorate: Any, api: Api) -> Any:
        return decorate(task_of(api))


class Class(DjangoDoor):
    name = "django class"

    def home(self, decorate: Any, api: Api) -> Any:
        view = view_of(api)

        @decorate
        class Home(View):  # type: ignore[misc]  # Django comes without types
            def get(self, request: Any) -> JsonResponse:
                return view(request)

            post = get

        return Home.as_view()


class AsyncClass(OverASGI):
    name = "django async class"

    def home(self, decorate: Any, api: Api) -> Any:
        view = task_of(api)

        @decorate
        class Home(View):  # type: ignore[misc]  # Django comes without types
            async def get(self, request: Any) -> JsonResponse:
                return await view(request)

            post = get

        return Home.as_view()


class Site(DjangoDoor):
    name = "django site"
    has_optional = False
    is_whole = True

    def app(self, guard: django.Guard, api: Api) -> Any:
        home, health = self.view(api), self.view(api)
        protected = {"guard": guard, "rule": api.rule, "public_paths": {"/health"}}
        return site([path("", home), path("health", health)], over=self.over, protected=protected)

    def view(self, api: Api) -> Any:
        return view_of(api)


class SiteOverASGI(Site):
    name = "django site over ASGI"
    over = ASGIHandler
    ask = staticmethod(ask_asgi)
    joins_fields = False

    def view(self, api: Api) -> Any:
        return task_of(api)
