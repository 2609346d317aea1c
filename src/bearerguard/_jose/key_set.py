"""Key sets as immutable snapshots: which keys to try for a token, and how long the set may be used.

A set is never changed, only replaced as a whole, so readers need no lock and never see half a refresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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

Identity = tuple[object, ...]
_NONE: tuple[Verify, ...] = ()


class KeyIndex:
    """The keys of a set, arranged so that finding those to try is one look-up.

    Attributes:
        all: the keys, the newest first: those of a later answer before those of an earlier one, and of one
            answer in the order in which they were published.
        named: by `alg` and `kid`, the keys published under that name that fit (RFC 7515, section 4.1.4).

    A refresh that changes nothing about which keys are tried keeps the object it has: whatever was verified
    under it stays verified.
    """

    __slots__ = ("_answer", "_any", "_seen_in", "_unnamed", "all", "named")

    def __init__(
        self,
        keys: Iterable[VerificationKey],
        *,
        seen_in: Mapping[Identity, int] | None = None,
        answer: int = 0,
    ) -> None:
        self.all: tuple[VerificationKey, ...] = tuple(keys)
        self._answer = answer
        self._seen_in = seen_in or {key.identity: answer for key in self.all}
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

    def succeeded_by(self, keys: Iterable[VerificationKey]) -> KeyIndex:
        """Return the keys of a later answer; this very object where the same keys would be tried."""
        published = tuple(keys)
        answer = self._answer + 1
        seen_in = {key.identity: self._seen_in.get(key.identity, answer) for key in published}
        later = KeyIndex(
            sorted(published, key=lambda key: -seen_in[key.identity]), seen_in=seen_in, answer=answer
        )
        return self if later._tried() == self._tried() else later

    def _tried(self) -> object:
        """Equal for two sets that try the same keys: in the same order too, where not all fit are tried."""
        identities = [key.identity for key in self.all]
        return identities if self._leaves_some_out() else frozenset(identities)

    def _leaves_some_out(self) -> bool:
        fitting = Counter(alg for key in self.all for alg in key.verifiers)
        return max(fitting.values(), default=0) > MAX_KEYS_TRIED

    def untried(self) -> tuple[str, ...]:
        """A sentence where more keys without `kid` fit an algorithm than are tried for one token."""
        fitting = Counter(alg for key in self.all if key.kid is None for alg in key.verifiers)
        crowded = sorted(alg for alg, count in fitting.items() if count > MAX_KEYS_TRIED)
        if not crowded:
            return ()
        sentence = (
            f"{fitting[crowded[0]]} keys without kid fit {crowded[0]}, and for one token {MAX_KEYS_TRIED} of "
            "them are tried, the newest first: give each a kid"
        )
        return (sentence,)

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
        is_whole: whether the keys are all that was published under `etag`, none left out by pins or as
            unusable.
        is_shared: whether another process asked for them: perhaps before what is missing was published.
    """

    keys: KeyIndex
    fetched_at: float = -inf
    lifetime: float = inf
    refresh_at: float = inf
    usable_until: float = inf
    etag: str | None = None
    address: str | None = None
    is_whole: bool = False
    is_shared: bool = False


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
    keys: KeyIndex,
    *,
    fetched_at: float,
    lifetime: float,
    chance: float,
    etag: str | None,
    address: str | None,
    is_whole: bool = False,
) -> KeySet:
    """Return the key set with its times worked out.

    Args:
        keys: the keys.
        fetched_at: when they were confirmed, in seconds since 1970.
        lifetime: for how long they are fresh, in seconds.
        chance: a random number from 0 to 1, which spreads the refreshes of many processes.
        etag: the validator of the response.
        address: the URL they came from.
        is_whole: whether the keys are all that was published.
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
        is_whole=is_whole,
    )
