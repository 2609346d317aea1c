"""The challenge of an error, as the doors make it."""

from __future__ import annotations

from bearerguard import AuthError
from bearerguard.answer import ChallengeContext, challenges


def challenge_of(error: AuthError, *, realm: str | None = None, resource_metadata: str | None = None) -> str:
    """The value of the one `WWW-Authenticate` field."""
    fields = challenges(error, ChallengeContext(realm, resource_metadata))
    [value] = [value for name, value in fields if name == "WWW-Authenticate"]
    return value
