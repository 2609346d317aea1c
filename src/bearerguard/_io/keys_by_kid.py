"""The keys of a provider that publishes each at an address of its own: one source for each key.

Each source is an ordinary one, with its lifetime, its refreshes and its pauses. Here is only how many there
may be: a key that was fetched is never pushed out by one that was not, and few are begun at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from bearerguard._core.first_fetches import FirstFetches
from bearerguard._core.proven_first import ProvenFirst
from bearerguard._io.fork import forget_locks
from bearerguard._jose.key_set import KeySet
from bearerguard._limits import (
    KEYS_BY_KID,
    KEYS_BY_KID_A_MINUTE,
    KEYS_BY_KID_AT_ONCE,
    NEW_KEYS_BY_KID,
)

if TYPE_CHECKING:
    from bearerguard._io.remote_keys import RemoteKeySource


class KeysByKid:
    """The sources of one provider's keys, by key id.

    Args:
        begin: makes the source of a key id.
        clock: seconds since 1970.
    """

    key_set: KeySet | None = None  # as a whole they have none: each key is in a set of its own

    def __init__(self, begin: Callable[[str], RemoteKeySource], clock: Callable[[], float]) -> None:
        self._begin = begin
        self._clock = clock
        self._lock = threading.Lock()
        forget_locks(self)
        self._sources: ProvenFirst[tuple[str, RemoteKeySource]] = ProvenFirst(
            proven=KEYS_BY_KID, new=NEW_KEYS_BY_KID
        )
        self._first_fetches = FirstFetches(KEYS_BY_KID_AT_ONCE, KEYS_BY_KID_A_MINUTE)

    def source_of(self, kid: str) -> RemoteKeySource | None:
        """Return the source of one key; None where no further one may be begun now."""
        with self._lock:
            known = self._sources.get(kid)
            if known is not None:
                return known[1]
            for name, source in tuple(self._sources.unproven()):
                if source.key_set is not None:
                    self._sources.prove(name)
            under_way = sum(source.is_asking for _, source in self._sources.unproven())
            begun = self._first_fetches.begin(self._clock(), under_way)
            if begun is None:
                return None
            self._first_fetches = begun
            source = self._begin(kid)
            self._sources.add(kid, (kid, source))
            return source

    def is_absent(self, kid: str) -> bool:
        """Whether the provider said last that it has no key of this id: a 403 of a bucket, a 404."""
        with self._lock:
            known = self._sources.get(kid)
        failure = None if known is None or known[1].key_set is not None else known[1].last_failure
        return failure is not None and failure.kind == "absent"

    def refresh_ahead(self, now: float) -> None:
        """Do nothing: each source looks after itself."""

    def all(self) -> list[RemoteKeySource]:
        """The sources that there are now."""
        with self._lock:
            return [source for _, source in self._sources]
