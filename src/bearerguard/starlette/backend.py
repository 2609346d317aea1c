"""The door for programs that use Starlette's own `AuthenticationMiddleware`: a backend, and its answer.

It verifies nothing itself. The application decides which user a token represents and what that user may do.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.requests import HTTPConnection
from starlette.responses import Response

from bearerguard._asgi import ASGIRequest
from bearerguard._layabauth import server_by_jwks_uri
from bearerguard.answer import answer
from bearerguard.errors import AuthError, InvalidRequest, InvalidToken, MissingCredentials
from bearerguard.provider import ASYMMETRIC, DEFAULT_LEEWAY
from bearerguard.starlette.base import as_response
from bearerguard.starlette.serving import begin

__all__ = ["OAuth2IdTokenBackend", "on_error"]


class OAuth2IdTokenBackend(AuthenticationBackend):
    """Authenticates the bearer token of a request, for Starlette's `AuthenticationMiddleware`.

    A request without bearer token is anonymous. Pass `on_error=on_error` to the middleware: its own answer
    to a bad token is a bare 400.

    Args:
        jwks_uri: where the provider's keys are: its `jwks_uri`, an https URL.
        create_user: called with `token` (the text) and `token_body` (all claims, a dict) of a verified
            token, returns the `BaseUser`. May be async.
        scopes: called likewise, returns the scopes for Starlette's `requires`: several strings, or one with
            spaces as in the claim `scope`. May be async.
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

    Examples:
        ```python
        from starlette.applications import Starlette
        from starlette.authentication import SimpleUser
        from starlette.middleware.authentication import AuthenticationMiddleware

        from bearerguard.starlette import OAuth2IdTokenBackend, on_error

        app = Starlette()
        backend = OAuth2IdTokenBackend(
            "https://login.example/keys",
            create_user=lambda token, token_body: SimpleUser(token_body["name"]),
            scopes=lambda token, token_body: token_body["scope"],
            issuer="https://login.example",
            audience="https://api.example",
        )
        app.add_middleware(AuthenticationMiddleware, backend=backend, on_error=on_error)
        ```
    """

    def __init__(
        self,
        jwks_uri: str,
        create_user: Callable[..., BaseUser | Awaitable[BaseUser]],
        scopes: Callable[..., Iterable[str] | Awaitable[Iterable[str]]],
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        algorithms: Collection[str] = ASYMMETRIC,
        leeway: float = DEFAULT_LEEWAY,
        clock: Callable[[], float] = time.time,
        **http_options: Any,
    ) -> None:
        self.create_user = create_user
        self.scopes = scopes
        self._server = server_by_jwks_uri(
            jwks_uri,
            issuer=issuer,
            audience=audience,
            algorithms=algorithms,
            leeway=leeway,
            clock=clock,
            http_options=http_options,
        )

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return the user that the token stands for, and what it allows; None where there is no token.

        Raises:
            AuthenticationError: the token is refused, or its keys are unavailable; caused by an `AuthError`.
        """
        request = begin(conn.scope)
        try:
            token = await self._server.aauthenticate(ASGIRequest(conn.scope))
        except MissingCredentials:
            return None
        except AuthError as error:
            raise AuthenticationError(error.description) from error
        conn.scope["bearerguard.token"] = request.token = token
        body = token.claims_copy()
        # An exception of these two is the application's own error, not a bad token.
        scopes: Iterable[str] | None = await _awaited(self.scopes(token=token.raw, token_body=body))
        user: BaseUser = await _awaited(self.create_user(token=token.raw, token_body=body))
        return AuthCredentials(_separate(scopes)), user


def on_error(conn: HTTPConnection, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes both
    """Answer a bad token: its own status and challenge (RFC 6750, section 3), and JSON.

    For `AuthenticationMiddleware(..., on_error=on_error)`. It is a 401, also where the credentials are not
    written as RFC 6750 says, and a 503 with `Retry-After` where the provider's keys are unavailable.
    """
    refusal = error.__cause__
    if not isinstance(refusal, AuthError):  # another backend's, or the application's own
        refusal = InvalidToken("invalid_token", "The token is not accepted.")
    return as_response(answer(refusal, status=401 if isinstance(refusal, InvalidRequest) else None))


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _separate(scopes: Iterable[str] | None) -> Sequence[str]:
    """Scopes one by one; in one string they are separated by spaces only (RFC 6749, section 3.3)."""
    if isinstance(scopes, str):
        return [scope for scope in scopes.split(" ") if scope]
    return list(scopes or ())
