"""What an issuer of tests knows of its tokens: what opaque ones stand for, and which are revoked.

Safe to use from several threads. An opaque token says nothing by itself, so it is kept with its claims; a JWT
says everything, so it is kept only when it is revoked. Nothing is forgotten as long as the issuer lives.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

__all__ = ["Issued"]


class Issued:
    """Opaque tokens with their claims, and the revoked ones of both kinds."""

    def __init__(self) -> None:
        self._claims: dict[str, Mapping[str, Any]] = {}
        self._revoked: set[str] = set()

    def opaque(self, claims: Mapping[str, Any]) -> str:
        """A new token that stands for `claims`: 256 random bits (RFC 6749 section 10.10 asks for 160)."""
        token = secrets.token_urlsafe(32)
        self._claims[token] = claims
        return token

    def claims_of(self, token: str) -> Mapping[str, Any] | None:
        """What an opaque token stands for; None where none was issued."""
        return self._claims.get(token)

    def revoke(self, token: str) -> None:
        """Note that `token` is not to be used any more.

        Raises:
            ValueError: it is neither an opaque token that was issued here nor a JWT.
        """
        if token not in self._claims and token.count(".") != 2:
            raise ValueError(
                "This issuer has not issued that token: give one that opaque_token() returned, or a JWT."
            )
        self._revoked.add(token)

    def is_revoked(self, token: str) -> bool:
        """Whether `token` was revoked."""
        return token in self._revoked
