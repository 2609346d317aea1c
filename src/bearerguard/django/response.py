"""Answers and endpoints of a guard as Django has them. Nothing here decides what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from bearerguard.answer import Answer
from bearerguard.endpoints import Endpoint, EndpointRequest

__all__: list[str] = []


def as_response(answer: Answer) -> HttpResponse:
    """Return an answer as a response of Django."""
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]  # the answer has its own, or no content
    return complete(response, answer.headers)


def complete(response: HttpResponse, fields: list[tuple[str, str]]) -> HttpResponse:
    """Add header fields, of which one may stand more than once, but for those that somebody else has set."""
    own = {name: response.headers.get(name) in (None, *_values(fields, name)) for name, _ in fields}
    repeated = []
    for name, value in fields:
        if name not in response.headers:
            response.headers[name] = value
        elif own[name] and response.headers[name] != value:
            repeated.append((name, value))
    if repeated:  # Django keeps one field of a name, and gives a server what `items` returns
        response.items = lambda: [*response.headers.items(), *repeated]
    return response


def _values(fields: list[tuple[str, str]], name: str) -> list[str]:
    return [value for field, value in fields if field == name]


def request_to(endpoint: Endpoint, request: HttpRequest) -> EndpointRequest:
    """Return what an endpoint sees of a request; its body is read no further than the endpoint takes it."""
    body = request.read(endpoint.max_body + 1) if endpoint.max_body else b""
    return EndpointRequest(request.method or "", body, request.headers.get("Content-Type", ""))


def view_of(endpoint: Endpoint) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view that serves an endpoint."""

    def served(request: HttpRequest) -> HttpResponse:
        if request.method not in endpoint.methods:
            return HttpResponseNotAllowed(endpoint.methods)
        return as_response(endpoint.answer(request_to(endpoint, request)))

    served.login_required = False  # type: ignore[attr-defined]  # as `login_not_required` does
    exempt: Callable[[HttpRequest], HttpResponse] = csrf_exempt(served)
    return exempt


def allowed_methods(view: Any) -> HttpResponse:
    """Return the answer to `OPTIONS` that Django's own `View` gives, without entering a view."""
    methods: dict[str, str] = {"Content-Length": "0"}
    kind = getattr(view, "view_class", None)
    if kind is not None:
        has_head = "head" if hasattr(kind, "get") else ""
        names = [name for name in kind.http_method_names if name == has_head or hasattr(kind, name)]
        methods["Allow"] = ", ".join(name.upper() for name in names)
    return HttpResponse(headers=methods)
