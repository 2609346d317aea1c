"""Key sets as immutable snapshots: which keys to try for a token, and how long the set may be used.

A set is never changed, only replaced as a whole, so readers need no lock and never see half a refresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec

from bearerguard._jose.algorithms import Verify
from bearerguard._jose.jwk import VerificationKey
from bearerguard._limits import (
    KEY_SET_LIFETIME,
    MAX_KEY_SET_LIFETIME,
    MAX_KEYS_TRIED,
    MIN_KEY_SET_LIFETIME,
    REFRESH_AHEAD,
    REFRESH_JITTER,
    STALE_IF_ERROR,
)

_NONE: tuple[Verify, ...] = ()


class Keys:
    """The keys of a set, arranged so that finding those to try is one look-up.

    Attributes:
        all: the keys.
        identities: what tells whether another set has the same keys.
        named: by `alg` and `kid`, the keys published under that name that fit (RFC 7515, section 4.1.4).

    Two sets of the same keys are interchangeable, so a refresh that brings nothing new keeps the object it
    has: whatever was verified under it stays verified.
    """

    __slots__ = ("_any", "_unnamed", "all", "identities", "named")

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self.all: tuple[VerificationKey, ...] = tuple(keys)
        self.identities: frozenset[tuple[object, ...]] = frozenset(key.identity for key in self.all)
        self._any: dict[str, tuple[Verify, ...]] = {}
        self.named: dict[tuple[str, str | None], tuple[Verify, ...]] = {}
        self._unnamed: dict[str, tuple[Verify, ...]] = {}
        for key in self.all:
            for alg, verify in key.verifiers.items():
                self._any[alg] = (*self._any.get(alg, _NONE), verify)[:MAX_KEYS_TRIED]
                if key.kid is None:
                    self._unnamed[alg] = (*self._unnamed.get(alg, _NONE), verify)[:MAX_KEYS_TRIED]
                else:
                    named = self.named.get((alg, key.kid), _NONE)
                    self.named[alg, key.kid] = (*named, verify)[:MAX_KEYS_TRIED]

    def unnamed(self, alg: str, kid: str | None) -> tuple[Verify, ...]:
        """The keys to try where no key is named: those without `kid`, or any for a token without one."""
        return (self._any if kid is None else self._unnamed).get(alg, _NONE)


class KeySet(msgspec.Struct, frozen=True):
    """The keys of one provider as known at one time. All times are seconds of the server's clock.

    Attributes:
        keys: the keys.
        fetched_at: when they were last confirmed by the provider.
        lifetime: for how long they count as fresh, in seconds.
        refresh_at: from when on a refresh is due, while the keys go on being used.
        usable_until: from when on the keys are not used any more.
        etag: the validator of the response, for the next conditional request.
        address: the URL they came from, where it was discovered.
    """

    keys: Keys
    fetched_at: float = -inf
    lifetime: float = inf
    refresh_at: float = inf
    usable_until: float = inf
    etag: str | None = None
    address: str | None = None


def lifetime_of(max_age: float | None, configured: float | None) -> float:
    """How long a response is fresh, in seconds: as configured, or as the provider says within bounds.

    Args:
        max_age: `max-age` of the response's `Cache-Control`, in seconds, if it gave one.
        configured: the lifetime that the user set, if any; `inf` never ends.
    """
    if configured is not None:
        return configured
    if max_age is None:
        return KEY_SET_LIFETIME
    return min(max(max_age, MIN_KEY_SET_LIFETIME), MAX_KEY_SET_LIFETIME)


def dated(
    keys: Keys, *, fetched_at: float, lifetime: float, chance: float, etag: str | None, address: str | None
) -> KeySet:
    """Return the key set with its times worked out.

    Args:
        keys: the keys.
        fetched_at: when they were confirmed, in seconds since 1970.
        lifetime: for how long they are fresh, in seconds.
        chance: a random number from 0 to 1, which spreads the refreshes of many processes.
        etag: the validator of the response.
        address: the URL they came from.
    """
    share = REFRESH_AHEAD + REFRESH_JITTER * chance
    return KeySet(
        keys,
        fetched_at=fetched_at,
        lifetime=lifetime,
        refresh_at=fetched_at + share * lifetime,
        usable_until=fetched_at + lifetime + STALE_IF_ERROR,
        etag=etag,
        address=address,
    )
