"""A small API of orders in Django REST framework, where permissions say who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it. A site has its settings, its views and its routes in files of their own.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    BEARERGUARD={
        "providers": [{"issuer": os.environ["ISSUER"], "audience": os.environ["AUDIENCE"]}],
        "resource": os.environ.get("RESOURCE"),
        "realm": "orders",
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "drf_spectacular",
        "bearerguard.django",
    ],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    SPECTACULAR_SETTINGS={"TITLE": "Orders", "VERSION": "1"},
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.urls import path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from bearerguard import fresh, role, scope
from bearerguard.drf import Guard

guard = Guard.from_settings()
may_read, may_write = guard.requires(scope("orders:read")), guard.requires(scope("orders:write"))
may_cancel = may_write & guard.requires(role("admin")) & guard.requires(fresh(max_age=300))

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


class OrderSerializer(Serializer):  # type: ignore[misc]  # REST framework has no types, so its classes are Any
    """What a client says of an order."""

    article = CharField()


class Orders(ViewSet):  # type: ignore[misc]  # REST framework has no types, so its classes are Any
    """All orders; each action has permissions of its own."""

    authentication_classes = (guard.authentication(),)

    def get_permissions(self) -> list[BasePermission]:
        """Return what the action asks for."""
        permission: Any = {"create": may_write, "destroy": may_cancel}.get(self.action, may_read)
        return [permission()]

    @extend_schema(responses={200: OrderSerializer(many=True)})
    def list(self, request: Request) -> Response:
        """List the orders: all of them for an admin, one's own for everybody else."""
        everything = "admin" in request.auth.roles
        return Response(
            {n: order for n, order in orders.items() if everything or order["by"] == request.auth.subject}
        )

    @extend_schema(request=OrderSerializer, responses={201: int})
    def create(self, request: Request) -> Response:
        """Order something; it is oneself who does."""
        order = OrderSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        number = max(orders, default=0) + 1
        orders[number] = {**order.validated_data, "by": request.auth.subject}
        return Response(number, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, _request: Request, number: int) -> Response:
        """Cancel an order: for admins, who logged in at most five minutes ago."""
        if orders.pop(number, None) is None:
            raise NotFound
        return Response(status=204)


class Greeting(APIView):  # type: ignore[misc]  # REST framework has no types, so its classes are Any
    """For everybody."""

    authentication_classes = (guard.authentication(),)
    permission_classes = (guard.optional(),)

    @extend_schema(responses=str)
    def get(self, request: Request) -> Response:
        """Greet whoever it is, with a name where there is one."""
        return Response("Hello." if request.auth is None else f"Hello, {request.auth.subject}.")


class Health(APIView):  # type: ignore[misc]  # REST framework has no types, so its classes are Any
    """For everybody; a token is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=str)
    def get(self, _request: Request) -> Response:
        """Say that it runs."""
        return Response("ok")


urlpatterns = [
    *guard.urls,
    path("health", Health.as_view()),
    path("greeting", Greeting.as_view()),
    path("orders", Orders.as_view({"get": "list", "post": "create"})),
    path("orders/<int:number>", Orders.as_view({"delete": "destroy"})),
    path("schema", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[AllowAny])),
]
app = get_wsgi_application()
