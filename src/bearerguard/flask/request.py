"""What the doors of Flask have in common: the current request's verified token, and how a request is refused.

One place keeps the token, one exception refuses, for everything that Flask can be asked by. Nothing here
verifies a token or chooses the words of a refusal.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any, cast

import flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, ServiceUnavailable, Unauthorized
from werkzeug.wrappers import Response

from bearerguard._wsgi import TOKEN, Environ, ServedBody, WSGIRequest
from bearerguard.context import SERVING, Serving, note
from bearerguard.errors import AuthError, ProviderUnavailable
from bearerguard.token import AccessToken

__all__ = ["RefusedRequest"]


class RefusedRequest(HTTPException):
    """A refusal as Flask sees it. It is also Werkzeug's exception for its status.

    So an application that wants another answer registers an error handler for a status, for
    `werkzeug.exceptions.Unauthorized` and its like, or for this class, as it is used to.

    Attributes:
        error: why the request is refused.

    Example:
        ```python
        @app.errorhandler(RefusedRequest)
        def refusal_of(refusal):
            return render_template("refused.html", reason=refusal.error.reason), refusal.code
        ```
    """

    error: AuthError

    def __init__(self, description: str | None = None, response: Response | None = None) -> None:
        super().__init__(description, response)
        self._headers: list[tuple[str, str]] = []

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the header fields of an answer with Werkzeug's own body: its type, and the challenge."""
        return [*HTTPException.get_headers(self, environ, scope), *self._headers]


class _BadRequest(RefusedRequest, BadRequest):
    """400."""


class _Unauthorized(RefusedRequest, Unauthorized):
    """401."""


class _Forbidden(RefusedRequest, Forbidden):
    """403."""


class _ServiceUnavailable(RefusedRequest, ServiceUnavailable):
    """503."""


_EXCEPTIONS: dict[int, type[RefusedRequest]] = {
    400: _BadRequest,
    401: _Unauthorized,
    403: _Forbidden,
    503: _ServiceUnavailable,
}


def refusal_of(
    error: AuthError,
    headers: Iterable[tuple[str, str]],
    *,
    status: int | None = None,
    description: str | None = None,
    response: Response | None = None,
) -> RefusedRequest:
    """Return the exception that stands for `error`, with what error handlers of applications look at.

    Args:
        error: why the request is refused.
        headers: the challenge, and what else the refusal needs.
        status: another status than the error's own.
        description: for the body that Werkzeug makes; its own words by default.
        response: what to answer in place of Werkzeug's own page.
    """
    status = error.status if status is None else status
    exception = _EXCEPTIONS.get(status, RefusedRequest)(description, response)
    exception.code = status
    exception.error = error
    exception._headers = needed = list(headers)  # noqa: SLF001 - it has no way in from outside
    if isinstance(exception, Unauthorized):
        challenges = (WWWAuthenticate.from_header(v) for name, v in headers if name == "WWW-Authenticate")
        exception.www_authenticate = tuple(filter(None, challenges))
    if isinstance(exception, ServiceUnavailable) and isinstance(error, ProviderUnavailable):
        exception.retry_after = max(1, math.ceil(error.retry_after))
    if flask.has_request_context():
        # Not with the exception, whose traceback keeps the request that would keep it.
        flask.after_this_request(functools.partial(_complete, status, needed))
    return exception


def _complete(status: int, needed: list[tuple[str, str]], response: flask.Response) -> flask.Response:
    """Add to an answer what its maker has left out, as flask-smorest and others do.

    An answer of another status is about something else.
    """
    if response.status_code == status:
        response.headers.extend([pair for pair in needed if pair[0] not in response.headers])
    return response


def begin() -> WSGIRequest:
    """Return the current request, to be checked, in a thread or in a task.

    Until `remember` says otherwise nobody is behind it: a decorator further out may have let another token
    through.
    """
    environ = flask.request.environ
    remember(environ, None)
    return WSGIRequest(environ)


def remember(environ: Environ, token: AccessToken | None) -> None:
    """Remember the verified token of the current request, for the application and for logs."""
    # In the request's environ, as behind the door for plain WSGI: flask.g lasts as long as the application
    # context, which is longer than a request where somebody has pushed one.
    is_first = SERVING not in environ
    environ[TOKEN] = token
    note(environ, token, _is_served)
    if is_first:
        # A body that is made while it is sent outlives Flask's contexts; the request ends when it is closed.
        flask.after_this_request(functools.partial(_end_with, environ[SERVING]))


def remembered() -> AccessToken | None:
    """Return the verified token of the current request; None without one, and outside a request."""
    return flask.request.environ.get(TOKEN) if flask.has_request_context() else None


def _is_served(request: Serving) -> bool:
    return flask.has_request_context() and flask.request.environ.get(SERVING) is request


def _end_with(request: Serving, response: flask.Response) -> flask.Response:
    if response.is_streamed and not response.direct_passthrough:
        response.response = ServedBody(cast("Iterable[bytes]", response.response), request)
    else:
        response.call_on_close(request.end)
    return response
