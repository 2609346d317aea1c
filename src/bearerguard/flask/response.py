"""Answers and endpoints of a guard as Flask has them. Nothing here decides what they say."""

from __future__ import annotations

from collections.abc import Callable

import flask
from werkzeug.datastructures import Headers

from bearerguard._wsgi import request_to
from bearerguard.answer import Answer
from bearerguard.endpoints import Endpoint

__all__: list[str] = []


def as_response(answer: Answer) -> flask.Response:
    """Return an answer as a response of Flask."""
    response = flask.Response(answer.body, answer.status)
    response.headers = Headers(answer.headers)  # without the type that Werkzeug gives to no content too
    return response


def view_name(endpoint: Endpoint) -> str:
    """Return Flask's name of the view that serves an endpoint."""
    return f"bearerguard {endpoint.path}"


def view_of(endpoint: Endpoint) -> Callable[[], flask.Response]:
    """Return the view that serves an endpoint."""
    return lambda: as_response(endpoint.answer(request_to(endpoint, flask.request.environ)))
