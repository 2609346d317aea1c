"""A small API of orders in Django, where a rule on each view says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it. A site has its settings, its views and its routes in files of their own.
"""

from __future__ import annotations

import json
import os
import secrets
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from bearerguard import fresh, role, scope
from bearerguard.django import Guard

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    BEARERGUARD={
        "providers": [{"issuer": os.environ["ISSUER"], "audience": os.environ["AUDIENCE"]}],
        "resource": os.environ.get("RESOURCE"),
        "realm": "orders",
    },
    INSTALLED_APPS=["bearerguard.django"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
guard = Guard.from_settings()

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


def health(request: HttpRequest) -> JsonResponse:
    """Say that it runs, to anybody."""
    return JsonResponse("ok", safe=False)


@guard.optional()
def greeting(request: HttpRequest) -> JsonResponse:
    """Greet whoever it is, with a name where there is one."""
    token = request.auth
    return JsonResponse("Hello." if token is None else f"Hello, {token.subject}.", safe=False)


@method_decorator(csrf_exempt, name="dispatch")  # as the guard does for a whole view
class Orders(View):  # type: ignore[misc]  # Django comes without types
    """All orders; each method has a rule of its own. A rule on the class would hold for all of them."""

    @guard.requires(scope("orders:read"))
    def get(self, request: HttpRequest) -> JsonResponse:
        """List the orders: all of them for an admin, one's own for everybody else."""
        everything = "admin" in request.auth.roles
        return JsonResponse(
            {n: order for n, order in orders.items() if everything or order["by"] == request.auth.subject}
        )

    @guard.requires(scope("orders:write"))
    def post(self, request: HttpRequest) -> HttpResponse:
        """Order something; it is oneself who does."""
        content: Any = json.loads(request.body)
        article = content.get("article") if isinstance(content, dict) else None
        if not isinstance(article, str):
            return HttpResponse("Say which article.", status=422)
        number = max(orders, default=0) + 1
        orders[number] = {"article": article, "by": request.auth.subject}
        return JsonResponse(number, safe=False, status=201)


@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
def cancel_order(request: HttpRequest, number: int) -> HttpResponse:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if request.method != "DELETE":
        return HttpResponse(status=405)
    return HttpResponse(status=404 if orders.pop(number, None) is None else 204)


urlpatterns = [
    *guard.urls,
    path("health", health),
    path("greeting", greeting),
    path("orders", Orders.as_view()),
    path("orders/<int:number>", cancel_order),
]
app = get_wsgi_application()
