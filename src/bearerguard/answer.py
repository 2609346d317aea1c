"""The HTTP answer to a refusal: status, challenges and body, in one place for every door.

A door writes an `Answer` out in its framework's way and adds nothing to it. An error's meaning is not decided
here, only how it is said: an error knows its parameters, the context knows what the API has to add.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from msgspec import Struct

from bearerguard._core.challenge import format_challenge
from bearerguard.errors import AuthError, ConfigurationError, UseDPoPNonce

__all__ = [
    "BEARER",
    "Answer",
    "Body",
    "ChallengeContext",
    "Scheme",
    "answer",
    "challenges",
    "dpop_scheme",
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

    @property
    def joined_refusal_headers(self) -> dict[str, str]:
        """The same for a framework that keeps one field of a name, with commas between (RFC 9110, 5.3)."""
        joined: dict[str, str] = {}
        for name, value in self.refusal_headers:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined


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


def dpop_scheme(algorithms: Iterable[str]) -> Scheme:
    """RFC 9449, section 7.1."""
    return Scheme("DPoP", tuple(sorted(algorithms)))


class ChallengeContext(Struct, frozen=True):
    """What an API adds to every challenge.

    Attributes:
        realm: a name for the protected space (RFC 9110, section 11.5).
        resource_metadata: the address of the resource's metadata (RFC 9728, section 5.1).
        schemes: the ways to present a token, the one for most clients first.
        no_store: whether no cache may keep a refusal: where a token stands elsewhere than in `Authorization`,
            a cache does not know that the answer depends on it (RFC 9111, section 3.5).
    """

    realm: str | None = None
    resource_metadata: str | None = None
    schemes: tuple[Scheme, ...] = (BEARER,)
    no_store: bool = False


def challenges(
    error: AuthError,
    context: ChallengeContext = ChallengeContext(),  # noqa: B008 - frozen: all calls may share it
) -> list[tuple[str, str]]:
    """Return the header fields that tell a client what is needed: one challenge for each scheme.

    Each stands in a field of its own: not every client takes a list apart (RFC 9110, section 11.6.1). Some do
    not find a nonce beside a second challenge either, so a request that used DPoP gets only that one. What
    was wrong with a Bearer token is said only of Bearer.

    Examples:
        >>> from bearerguard import InvalidToken
        >>> challenges(InvalidToken("expired", "The token has expired."))
        [('WWW-Authenticate', 'Bearer error="invalid_token", error_description="The token has expired."')]
    """
    fields = [
        ("WWW-Authenticate", format_challenge(scheme.name, _said(error, context, scheme)))
        for scheme in _offered(error, context)
    ]
    if error.retry_after is not None:
        fields.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))  # RFC 9110, 10.2.3
    if isinstance(error, UseDPoPNonce):
        fields.append(("DPoP-Nonce", error.nonce))
    if isinstance(error, UseDPoPNonce) or context.no_store:
        fields.append(("Cache-Control", "no-store"))  # RFC 9449, section 8.2
    return fields


def answer(
    error: AuthError,
    *,
    body: Body | None = None,
    context: ChallengeContext = ChallengeContext(),  # noqa: B008 - frozen: all calls may share it
    status: int | None = None,
) -> Answer:
    """Return the answer to a request that is refused.

    Args:
        error: why it is refused.
        body: what makes the body; `json_body` by default.
        context: what the API adds to its challenges.
        status: another status than the error's own.

    Examples:
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


_TEXT = {"type": "string"}
_SCHEMAS: list[tuple[Body, dict[str, Any]]] = [
    (json_body, {
        "type": "object",
        "properties": {"message": _TEXT, "error": _TEXT},
        "required": ["message", "error"],
    }),
    (problem_details, {
        "type": "object",
        "properties": {
            "type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "error": _TEXT
        },
        "required": ["type", "title", "status", "detail", "error"],
    }),
]  # fmt: skip
"""What the two bodies of this module look like, as JSON Schema."""


def body_content(body: Body, made: tuple[str, bytes] | None) -> dict[str, Any]:
    """Return the Media Type Objects of a body (OpenAPI 3.1.1, section 4.8.14), for an API's documentation.

    Args:
        body: what makes the bodies of refusals.
        made: what it made of one. Of a function of the program's own this is the example; nothing is known of
            it where it needs a request.
    """
    if made is None:
        return {}
    media_type, content = made
    for known, schema in _SCHEMAS:
        if body is known:
            return {media_type: {"schema": schema}}
    is_json = media_type.partition(";")[0].strip().endswith(("/json", "+json"))
    try:
        return {media_type: {"example": json.loads(content)}} if is_json else {media_type: {}}
    except ValueError:
        return {media_type: {}}


def _offered(error: AuthError, context: ChallengeContext) -> tuple[Scheme, ...]:
    """Where the request used a scheme other than the first, that one; else all of them."""
    used = [scheme for scheme in context.schemes[1:] if scheme.name == error.scheme]
    return tuple(used) or context.schemes


def _said(error: AuthError, context: ChallengeContext, scheme: Scheme) -> list[tuple[str, str | None]]:
    is_about = error.scheme is None or scheme.name == error.scheme or len(context.schemes) == 1
    return [
        ("realm", context.realm),
        *(error.parameters() if is_about else []),
        *_scopes_of_route(error),
        ("resource_metadata", context.resource_metadata),
        ("algs", " ".join(scheme.algorithms) or None),
    ]


def _scopes_of_route(error: AuthError) -> list[tuple[str, str | None]]:
    """A client that has to get a token is told at once for which scopes (RFC 6750, section 3)."""
    if error.status != 401 or error.rule is None:
        return []
    alternatives = error.rule.alternatives()
    return [("scope", " ".join(sorted(alternatives[0])) or None)]
