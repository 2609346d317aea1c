"""The verdict of a resource server about a token, in one word."""

from __future__ import annotations

from bearerguard import AuthError, ResourceServer

ACCEPTED = "accepted"


def verdict(server: ResourceServer, token: str) -> str:
    """`ACCEPTED`, or the reason of the refusal."""
    try:
        server.verify(token)
    except AuthError as error:
        return error.reason
    return ACCEPTED
