"""Clients that authenticate themselves by an assertion: `private_key_jwt` (RFC 7523 section 3).

An issuer of tests is strict where a client's mistake shows: the audience is the issuer and nothing else, the
assertion is short-lived, and it works once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.signed import signed_claims
from bearerguard.testing.signing_keys import SigningKey

__all__ = ["ASSERTION_TYPE", "ClientAssertions"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
_LONGEST = 300.0  # seconds that an assertion may be valid for


class ClientAssertions:
    """Takes assertions, each of them once; safe to use from threads.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def client_of(self, assertion: str, issuer: str, keys: Mapping[str, SigningKey]) -> str:
        """The client that signed `assertion` for `issuer`.

        Args:
            assertion: as it was sent.
            issuer: whom it has to be meant for.
            keys: the key of each client, by `client_id`.

        Raises:
            Refused: with `invalid_client`, and what is wrong with the assertion.
        """
        for client_id, key in keys.items():
            claims = signed_claims(assertion, [key])
            if claims is not None:
                wrong = self._what_is_wrong(claims, client_id, issuer)
                if wrong is None:
                    return client_id
                raise Refused("invalid_client", f"The assertion {wrong}.", status=401)
        raise Refused("invalid_client", "The assertion is not signed by a client's key.", status=401)

    def _what_is_wrong(self, claims: Mapping[str, Any], client_id: str, issuer: str) -> str | None:
        now = self._clock()
        expires, used = claims.get("exp"), claims.get("jti")
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            return "does not name its client in both iss and sub"
        if claims.get("aud") != issuer:
            return "is not meant for this issuer alone"
        if not isinstance(expires, int | float) or not now < expires <= now + _LONGEST:
            return f"has no exp within the next {_LONGEST:.0f} seconds"
        with self._lock:
            if not isinstance(used, str) or used in self._used:
                return "has no jti, or one that was used before"
            self._used.add(used)
        return None
