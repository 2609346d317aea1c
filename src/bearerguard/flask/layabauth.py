"""The decorator, the check and the log filter of layabauth, for Flask and what is built on it.

They read the request, ask the `ResourceServer`, and raise Werkzeug's exceptions with its verdict. They verify
nothing themselves.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, ParamSpec, TypeVar, cast

import flask

from bearerguard._layabauth import server_by_jwks_uri
from bearerguard._wsgi import TOKEN, Environ
from bearerguard.answer import challenges
from bearerguard.context import verified_token
from bearerguard.errors import AuthError, InsufficientScope, InvalidRequest, MissingCredentials
from bearerguard.flask.request import FlaskRequest, RefusedRequest, begin, refusal_of, remember, remembered
from bearerguard.observe import log_refusal, on_one_line
from bearerguard.provider import ASYMMETRIC, DEFAULT_LEEWAY
from bearerguard.token import AccessToken

__all__ = ["UserIdFilter", "requires_authentication", "requires_scopes"]

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger("bearerguard")


def requires_authentication(
    jwks_uri: str,
    *,
    issuer: str | None = None,
    audience: str | Iterable[str] | None = None,
    algorithms: Collection[str] = ASYMMETRIC,
    leeway: float = DEFAULT_LEEWAY,
    clock: Callable[[], float] = time.time,
    **http_options: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for views, sync or async, that requires a valid access token.

    The view finds the text of the token in `flask.g.token` and all its claims, a dict, in
    `flask.g.token_body`. Otherwise it is not entered. However many views are decorated, keys are fetched
    once per address and never for a request.

    Args:
        jwks_uri: where the provider's keys are: its `jwks_uri`, an https URL.
        issuer: the exact `iss` of the provider's tokens.
        audience: what a token must name in `aud` to be meant for this API: a string, or several.
        algorithms: the accepted `alg` values; all asymmetric ones by default.
        leeway: seconds of clock difference to forgive, at most 300.
        clock: seconds since 1970.
        **http_options: arguments for the `httpx2.Client` that fetches keys (`verify`, `proxy`, `headers`,
            `timeout`, `transport`, ...).

    Raises:
        ConfigurationError: for anything contradictory or unsafe.

    Warns:
        SecurityWarning: `issuer` or `audience` is left out, so it is not checked.

    The decorated view raises, with the challenge of RFC 6750 section 3 in `WWW-Authenticate` and the
    `AuthError` in `error`: `werkzeug.exceptions.Unauthorized` without token, with a bad one, or with one that
    is not written as section 2.1 says; `ServiceUnavailable` with `Retry-After` where the provider's keys are
    unavailable.

    Examples:
        ```python
        import flask

        from bearerguard.flask import requires_authentication

        app = flask.Flask(__name__)
        authenticated = requires_authentication(
            "https://login.example/keys", issuer="https://login.example", audience="https://api.example"
        )


        @app.get("/me")
        @authenticated
        def me():
            return flask.g.token_body["sub"]
        ```
    """
    server = server_by_jwks_uri(
        jwks_uri,
        issuer=issuer,
        audience=audience,
        algorithms=algorithms,
        leeway=leeway,
        clock=clock,
        http_options=http_options,
    )

    def decorator(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def authenticated(*args: P.args, **kwargs: P.kwargs) -> R:
            environ = _begin()
            try:
                _remember(environ, server.authenticate(FlaskRequest(environ)))
            except AuthError as error:
                raise _refused(error) from error
            return view(*args, **kwargs)

        @functools.wraps(view)
        async def authenticated_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            environ = _begin()
            try:
                _remember(environ, await server.aauthenticate(FlaskRequest(environ)))
            except AuthError as error:
                raise _refused(error) from error
            return await cast("Any", view(*args, **kwargs))

        if inspect.iscoroutinefunction(view):
            return cast("Callable[P, R]", authenticated_async)
        return authenticated

    return decorator


def requires_scopes(scopes: Callable[..., Collection[str] | None], *expected: str) -> None:
    """Go on only if the verified token of this request has all the expected scopes.

    The content of `flask.g` is not believed where it is another request's, as it can be where an application
    context has been pushed around several.

    Args:
        scopes: called with `token` (the text) and `token_body` (all claims), returns the token's scopes:
            several strings, or one with spaces as in the claim `scope`. If it raises, there are none.
        *expected: scopes that the token must have.

    Raises:
        werkzeug.exceptions.Forbidden: one is missing; with a challenge that names them.

    Examples:
        ```python
        from bearerguard.flask import requires_scopes


        def orders():  # a view that `requires_authentication` decorates
            requires_scopes(lambda token, token_body: token_body["scope"], "orders:read")
            return ["bread", "salt"]
        ```
    """
    token = remembered()
    try:
        found = None if token is None else scopes(token=token.raw, token_body=_token_body(token))
        granted = frozenset(found.split(" ") if isinstance(found, str) else found or ())
    except Exception as problem:  # noqa: BLE001 - whatever it raises, it shows no scope
        # Without its message, which may quote the token.
        _logger.info("requires_scopes: %r raised %s: no scopes", scopes, type(problem).__name__)
        granted = frozenset()
    missing = [scope for scope in expected if scope not in granted]
    if missing:
        error = InsufficientScope("scope", f"The token lacks {' '.join(missing)}.", expected)
        log_refusal(error, FlaskRequest(flask.request.environ) if flask.has_request_context() else None)
        raise _refused(error, f"The {missing[0]} must be provided in the token.") from error


class UserIdFilter(logging.Filter):
    """Sets `user_id` of every record to a claim of the verified token of the Flask request being served.

    It is empty outside a request, before verification, where it failed, and where the token has no such
    claim. It lets every record pass. For more than one claim, or another framework, see
    `bearerguard.logging.TokenFilter`.

    Args:
        token_field_name: the claim.
        name: as for `logging.Filter`; without effect.

    Examples:
        >>> logging.StreamHandler().addFilter(UserIdFilter("email"))
    """

    def __init__(self, token_field_name: str, name: str = "") -> None:
        super().__init__(name)
        self.token_field_name = token_field_name

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attribute; let the record pass."""
        token = verified_token()
        record.user_id = "" if token is None else on_one_line(token.claims.get(self.token_field_name))
        return True


# -- the contract of layabauth, over what the doors of Flask have in common -----------------------------


def _begin() -> Environ:
    for name in ("token", "token_body", TOKEN):
        flask.g.pop(name, None)
    return begin()


def _remember(environ: Environ, token: AccessToken) -> None:
    remember(environ, token)
    flask.g.token = token.raw
    flask.g.token_body = token.claims_copy()
    setattr(flask.g, TOKEN, token)


def _token_body(token: AccessToken) -> dict[str, Any]:
    """`flask.g.token_body` with what the application has done to it, if it is that of `token`."""
    if flask.g.get(TOKEN) is not token:  # flask.g lasts longer than a request where somebody pushed it
        return token.claims_copy()
    body: dict[str, Any] = flask.g.token_body
    return body


def _refused(error: AuthError, description: str | None = None) -> RefusedRequest:
    if description is None and not isinstance(error, MissingCredentials):  # Werkzeug's text says it well
        description = error.description
    status = 401 if isinstance(error, InvalidRequest) else None  # bad credentials are a 401
    return refusal_of(error, challenges(error), status=status, description=description)
