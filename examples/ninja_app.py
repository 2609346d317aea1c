"""A small API of orders in Django Ninja, where a rule at each operation says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it. A site has its settings, its operations and its routes in files of their own.
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
    INSTALLED_APPS=["bearerguard.django"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
django.setup()

from django.core.asgi import get_asgi_application
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError

from bearerguard import fresh, role, scope
from bearerguard.ninja import Guard

guard = Guard.from_settings()
api = guard.install(NinjaAPI(title="Orders"))

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


class Order(Schema):
    """What a client says of an order."""

    article: str


@api.get("/health")
async def health(request: HttpRequest) -> str:
    """Say that it runs, to anybody."""
    return "ok"


@api.get("/greeting", auth=guard.optional())
async def greeting(request: HttpRequest) -> str:
    """Greet whoever it is, with a name where there is one."""
    return "Hello." if request.auth.subject is None else f"Hello, {request.auth.subject}."


@api.get("/orders", auth=guard.requires(scope("orders:read")))
async def list_orders(request: HttpRequest) -> Any:
    """List the orders: all of them for an admin, one's own for everybody else."""
    everything = "admin" in request.auth.roles
    return {n: order for n, order in orders.items() if everything or order["by"] == request.auth.subject}


@api.post("/orders", auth=guard.requires(scope("orders:write")), response={201: int})
async def place_order(request: HttpRequest, order: Order) -> Any:
    """Order something; it is oneself who does."""
    number = max(orders, default=0) + 1
    orders[number] = {"article": order.article, "by": request.auth.subject}
    return api.create_response(request, number, status=201)


may_cancel = scope("orders:write") & role("admin") & fresh(max_age=300)


@api.delete("/orders/{number}", auth=guard.requires(may_cancel), response={204: None})
async def cancel_order(request: HttpRequest, number: int) -> Any:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(number, None) is None:
        raise HttpError(404, "There is no such order.")


urlpatterns = [*guard.urls, path("", api.urls)]
app = get_asgi_application()
