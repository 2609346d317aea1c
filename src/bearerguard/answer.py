"""The HTTP answer to a refusal: status, challenges and body, in one place for every door.

A door writes an `Answer` out in its framework's way and adds nothing to it. An error's meaning is not decided
here, only how it is said: an error knows its parameters, the context knows what the API has to add.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from msgspec import Struct

from bearerguard._core.challenge import format_challenge
from bearerguard.errors import AuthError, ConfigurationError

__all__ = [
    "BEARER",
    "Answer",
    "Body",
    "ChallengeContext",
    "Scheme",
    "answer",
    "challenges",
    "json_body",
    "problem_details",
]

Body = Callable[[AuthError], tuple[str, bytes]]
"""Makes the body of a refusal: its media type, and the bytes."""


class Answer(NamedTuple):
    """An HTTP response, complete. A field may stand in `headers` more than once."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def refusal_headers(self) -> list[tuple[str, str]]:
        """The header fields that the refusal needs, whatever body goes with it."""
        return [(name, value) for name, value in self.headers if not name.startswith("Content-")]


class Scheme(Struct, frozen=True):
    """A way to present a token, as a challenge offers it.

    Attributes:
        name: the authentication scheme (RFC 9110, section 11.1).
        algorithms: what its proofs may be signed with, if it has proofs (RFC 9449, section 7.1).
    """

    name: str
    algorithms: tuple[str, ...] = ()


BEARER = Scheme("Bearer")
"""RFC 6750."""


class ChallengeContext(Struct, frozen=True):
    """What an API adds to every challenge.

    Attributes:
        realm: a name for the protected space (RFC 9110, section 11.5).
        resource_metadata: the address of the resource's metadata (RFC 9728, section 5.1).
        schemes: the ways to present a token, the one for most clients first.
        nonce: for the client's next proof (RFC 9449, section 9).
    """

    realm: str | None = None
    resource_metadata: str | None = None
    schemes: tuple[Scheme, ...] = (BEARER,)
    nonce: str | None = None


_NOTHING_ADDED = ChallengeContext()


def challenges(error: AuthError, context: ChallengeContext = _NOTHING_ADDED) -> list[tuple[str, str]]:
    """Return the header fields that tell a client what is needed: one challenge for each scheme.

    Each stands in a field of its own: not every client takes a list apart (RFC 9110, section 11.6.1).

    Example:
        >>> from bearerguard import InvalidToken
        >>> challenges(InvalidToken("expired", "The token has expired."))
        [('WWW-Authenticate', 'Bearer error="invalid_token", error_description="The token has expired."')]
    """
    said = [
        ("realm", context.realm),
        *error.parameters(),
        *_scopes_of_route(error),
        ("resource_metadata", context.resource_metadata),
    ]
    fields = [
        (
            "WWW-Authenticate",
            format_challenge(scheme.name, [*said, ("algs", " ".join(scheme.algorithms) or None)]),
        )
        for scheme in context.schemes
    ]
    if error.retry_after is not None:
        fields.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))  # RFC 9110, 10.2.3
    if context.nonce is not None:
        fields += [("DPoP-Nonce", context.nonce), ("Cache-Control", "no-store")]  # RFC 9449, section 8.2
    return fields


def answer(
    error: AuthError,
    *,
    body: Body | None = None,
    context: ChallengeContext = _NOTHING_ADDED,
    status: int | None = None,
) -> Answer:
    """Return the answer to a request that is refused.

    Args:
        error: why it is refused.
        body: what makes the body; `json_body` by default.
        context: what the API adds to its challenges.
        status: another status than the error's own.

    Example:
        >>> from bearerguard import InvalidToken
        >>> answer(InvalidToken("expired", "The token has expired.")).status
        401
    """
    media_type, content = worded(error, body or json_body)
    headers = [
        ("Content-Type", media_type),
        ("Content-Length", str(len(content))),
        *challenges(error, context),
    ]
    return Answer(error.status if status is None else status, headers, content)


def worded(error: AuthError, body: Body) -> tuple[str, bytes]:
    """Return what `body` makes of an error: a media type, and the content.

    Raises:
        ConfigurationError: it makes something else of it.
    """
    made: object = body(error)
    match made:
        case (str() as media_type, bytes() as content):
            return media_type, content
        case _:
            pass
    if inspect.iscoroutine(made):
        made.close()
    raise ConfigurationError(
        f"body returns a {type(made).__name__}: return the media type and the content in bytes, as "
        "'application/json', json.dumps({...}).encode() is."
    )


def json_body(error: AuthError) -> tuple[str, bytes]:
    """One sentence for people and one code for programs: `{"message": ..., "error": ...}`."""
    content = {"message": error.description, "error": error.code or error.reason}
    return "application/json", json.dumps(content).encode()


def problem_details(error: AuthError) -> tuple[str, bytes]:
    """Problem details (RFC 9457), with the code as the member `error`."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.description,
        "error": error.code or error.reason,
    }
    return "application/problem+json", json.dumps(content).encode()


def _scopes_of_route(error: AuthError) -> list[tuple[str, str | None]]:
    """A client that has to get a token is told at once for which scopes (RFC 6750, section 3)."""
    if error.status != 401 or error.rule is None:
        return []
    alternatives = error.rule.alternatives()
    return [("scope", " ".join(sorted(alternatives[0])) or None)]
