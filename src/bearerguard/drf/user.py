"""Who makes a request, for what REST framework asks of users, where a site has no users of its own."""

from __future__ import annotations

import hashlib
import json

from bearerguard.token import AccessToken

__all__ = ["TokenUser"]


class TokenUser:
    """The bearer of a verified token. It is in no database, and may do nothing but what rules allow.

    Attributes:
        token: the verified token.
        pk: stands for its issuer and its subject, so that throttles and caches, which tell users apart by it,
            take no two for one. A token without a subject is its client's.
        username: the subject.
    """

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, token: AccessToken) -> None:
        self.token = token
        who = [token.claims.get("iss"), token.subject, None if token.subject else token.client_id]
        self.pk: str = hashlib.sha256(json.dumps(who).encode()).hexdigest()
        self.id: str = self.pk
        self.username: str = token.subject or token.client_id or ""

    def get_username(self) -> str:
        """Return the subject."""
        return self.username

    def __str__(self) -> str:
        return self.username

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        return hash(self.pk)
