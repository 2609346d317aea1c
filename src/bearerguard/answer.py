"""The HTTP answer to a refusal: status, headers and body, in one place for every door.

A door writes an `Answer` out in its framework's way and adds nothing to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from bearerguard.errors import AuthError

Body = Callable[[AuthError], tuple[str, bytes]]
"""Makes the body of a refusal: its media type, and the bytes."""


class Answer(NamedTuple):
    """An HTTP response, complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer(
    error: AuthError,
    *,
    body: Body | None = None,
    realm: str | None = None,
    resource_metadata: str | None = None,
    status: int | None = None,
) -> Answer:
    """Return the answer to a request that is refused.

    Args:
        error: why it is refused.
        body: what makes the body; `json_body` by default.
        realm: for the challenge (RFC 9110, section 11.5).
        resource_metadata: the address of the resource's metadata, for the challenge (RFC 9728, section 5.1).
        status: another status than the error's own.

    Example:
        >>> answer(InvalidToken("expired", "The token has expired.")).status  # doctest: +SKIP
        401
    """
    media_type, content = (body or json_body)(error)
    headers = [
        ("Content-Type", media_type),
        ("Content-Length", str(len(content))),
        *error.headers(realm=realm, resource_metadata=resource_metadata),
    ]
    return Answer(error.status if status is None else status, headers, content)


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
