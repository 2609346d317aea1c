"""The doors of Django REST framework, each in one of the ways of its framework."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from bearerguard import drf
from tests.doors_under_test.django_doors import view_of
from tests.doors_under_test.django_site import site
from tests.doors_under_test.door import METHODS, Api, Door
from tests.doors_under_test.exchange import ask_wsgi


class DRFDoor(Door):
    guard = drf.Guard
    ask = staticmethod(ask_wsgi)
    joins_fields = True
    words_refusals = False  # REST framework renders them

    def app(self, guard: drf.Guard, api: Api) -> Any:
        allowed = guard.optional() if api.optional else guard.requires(api.rule)

        def answer(request: Any) -> Response:
            api.enter(request.path_info)
            return Response(api.content(request.auth))

        home = self.home([guard.authentication()], [allowed], answer)
        common = "django.middleware.common.CommonMiddleware"  # without which answers have no length
        return site([*guard.urls, path("", home), path("health", view_of(api))], common)

    def home(self, authentication: list[Any], permissions: list[Any], answer: Any) -> Any:
        """The protected view, made in a way of REST framework's."""
        raise NotImplementedError


class View(DRFDoor):
    name = "drf view"

    def home(self, authentication: list[Any], permissions: list[Any], answer: Any) -> Any:
        class Home(APIView):  # type: ignore[misc]  # REST framework comes without types
            authentication_classes = authentication
            permission_classes = permissions

            def get(self, request: Any) -> Response:
                return answer(request)

            post = get

        return Home.as_view()


class Function(DRFDoor):
    name = "drf function"

    def home(self, authentication: list[Any], permissions: list[Any], answer: Any) -> Any:
        def view(request: Any) -> Any:
            return answer(request)

        decorated = permission_classes(permissions)(authentication_classes(authentication)(view))
        return api_view(METHODS)(decorated)


class Set(DRFDoor):
    name = "drf view set"

    def home(self, authentication: list[Any], permissions: list[Any], answer: Any) -> Any:
        class Homes(ViewSet):  # type: ignore[misc]  # REST framework comes without types
            authentication_classes = authentication
            permission_classes = permissions

            def shown(self, request: Any) -> Response:
                return answer(request)

        return Homes.as_view({"get": "shown", "post": "shown"})
