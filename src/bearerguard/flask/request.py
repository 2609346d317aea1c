"""What the doors of Flask have in common: the current request's verified token, and how a request is refused.

One place keeps the token, one exception refuses, for everything that Flask can be asked by. Nothing here
verifies a token or chooses the words of a refusal.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, ServiceUnavailable, Unauthorized
from werkzeug.wrappers import Response

from bearerguard._wsgi import TOKEN, Environ, ServedBody, WSGIRequest
from bearerguard.context import SERVING, Serving, begin_asked
from bearerguard.errors import AuthError, ProviderUnavailable
from bearerguard.token import AccessToken

__all__ = ["RefusedRequest"]


class RefusedRequest(HTTPException):
    """A refusal as Flask sees it. It is also Werkzeug's exception for its status.

    So an application that wants another answer registers an error handler for a status, for
    `werkzeug.exceptions.Unauthorized` and its like, or for this class, as it is used to.

    Attributes:
        error: why the request is refused.

    Examples:
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
    """Add to an answer what its maker has left out: flask-smorest all of it, APIFlask one of two challenges.

    An answer of another status is about something else, and a value of the application's own stays alone.
    """
    if response.status_code == status:
        for name in dict(needed):
            ours = [value for known, value in needed if known == name]
            if set(response.headers.getlist(name)) <= set(ours):
                response.headers.setlist(name, ours)
    return response


class FlaskRequest(WSGIRequest):
    """The current request as the checks see it."""

    @property
    def route(self) -> str | None:
        """The rule of Flask's URL map that the request matched."""
        rule = flask.request.url_rule
        return None if rule is None else rule.rule


_current_request = flask.request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001 - documented
"""The request itself: each attribute through its proxy would cost as much as verifying a remembered token."""


def begin() -> Environ:
    """Return the environ of the current request, which is to be checked, in a thread or in a task.

    Until `remember` says otherwise nobody is behind it: a decorator further out may have let another token
    through.
    """
    # In the request's environ, as behind the door for plain WSGI: flask.g lasts as long as the application
    # context, which is longer than a request where somebody has pushed one.
    environ: Environ = _current_request().environ
    request: Serving | None = environ.get(SERVING)
    if request is None or request.is_over:
        request = begin_asked(environ, _served)
        # A body that is made while it is sent outlives Flask's contexts; the request ends when it is closed.
        flask.after_this_request(_end_of(request))
    else:
        request.token = None
    environ[TOKEN] = None
    return environ


def remember(environ: Environ, token: AccessToken | None) -> None:
    """Remember the verified token of a request that has begun, for the application and for logs."""
    environ[TOKEN] = environ[SERVING].token = token


def remembered() -> AccessToken | None:
    """Return the verified token of the current request; None without one, and outside a request."""
    return _current_request().environ.get(TOKEN) if flask.has_request_context() else None


def _served() -> Serving | None:
    return _current_request().environ.get(SERVING) if flask.has_request_context() else None


def _end_of(request: Serving) -> Callable[[flask.Response], flask.Response]:
    # A function, and not a `partial`: Flask looks into each whether it is to be awaited.
    def end(response: flask.Response) -> flask.Response:
        body = response.response
        if body.__class__ is list or not response.is_streamed or response.direct_passthrough:
            response.call_on_close(request.end)
        else:
            response.response = ServedBody(cast("Iterable[bytes]", body), request)
        return response

    return end
