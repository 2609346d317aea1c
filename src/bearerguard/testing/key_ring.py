"""The keys of one issuer over time: those it signs with, those it still publishes, those it announces.

One key of each type is current at a time. A key ring publishes public halves only: the secret of an `oct`
key is never among them.
"""

from __future__ import annotations

import threading

from bearerguard.testing.signing_keys import KEY_TYPES, SigningKey, key_type_of, signing_key

__all__ = ["KeyRing"]


class KeyRing:
    """Current, previous and announced keys; safe to use from several threads.

    Args:
        first: the type of key that the published set begins with.
    """

    def __init__(self, first: str) -> None:
        self._order = sorted(KEY_TYPES, key=lambda key_type: key_type != first)
        self._lock = threading.Lock()
        self._current: dict[str, SigningKey] = {}
        self._previous: dict[str, SigningKey] = {}
        self._next: dict[str, SigningKey] = {}

    def current(self, algorithm: str) -> SigningKey:
        """The key that signs with `algorithm` now."""
        with self._lock:
            return self._current_keys()[key_type_of(algorithm)]

    def published(self) -> list[dict[str, str]]:
        """The public JWKs to be found at the issuer now: the current, the announced, the previous."""
        return [key.public_jwk() for key in self.all() if key.key_type != "oct"]

    def all(self) -> list[SigningKey]:
        """The keys whose signatures are the issuer's now: the current, the announced, the previous."""
        with self._lock:
            sets = (self._current_keys(), self._next, self._previous)
            return [key for keys in sets for key in keys.values()]

    def announce(self) -> None:
        """Publish the keys that the next rotation will sign with; without effect the second time."""
        with self._lock:
            self._next = self._next or self._fresh_keys()

    def rotate(self, *, overlap: bool) -> None:
        """Sign with the announced keys, or new ones; publish the old ones only on `overlap`."""
        with self._lock:
            old = self._current_keys()
            self._current, self._next = self._next or self._fresh_keys(), {}
            self._previous = old if overlap else {}

    def _current_keys(self) -> dict[str, SigningKey]:
        if not self._current:  # made on first use: an issuer that signs nothing costs no RSA key
            self._current = self._fresh_keys()
        return self._current

    def _fresh_keys(self) -> dict[str, SigningKey]:
        return {key_type: signing_key(key_type) for key_type in self._order}
